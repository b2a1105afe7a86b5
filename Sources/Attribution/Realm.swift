internal import Glibc
internal import KernelABI

/// What the host's own processes have.
package struct HostIdentity: Sendable {
    /// Inode numbers of its namespaces.
    package let mountNamespace: UInt32
    package let userNamespace: UInt32
    /// Its root directory, st_dev as major << 20 | minor.
    let rootDevice: UInt32
    let rootInode: UInt64

    /// Of the first process, or where that can't be seen of this one.
    package init() {
        func namespace(_ name: String) -> UInt32 { namespaceInode("/proc/1/ns/\(name)") ?? namespaceInode("/proc/self/ns/\(name)") ?? 0 }
        var root = hv_name()
        if hv_name("/proc/1/root/.", &root) != 0 { _ = hv_name("/", &root) }
        self.init(
            mountNamespace: namespace("mnt"), userNamespace: namespace("user"), rootDevice: root.device, rootInode: root.inode)
    }

    init(mountNamespace: UInt32, userNamespace: UInt32, rootDevice: UInt32, rootInode: UInt64) {
        self.mountNamespace = mountNamespace
        self.userNamespace = userNamespace
        self.rootDevice = rootDevice
        self.rootInode = rootInode
    }
}

/// The number in a link of /proc/PID/ns, such as "mnt:[4026531841]".
func namespaceInode(_ link: String) -> UInt32? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        let count = readlink(link, buffer.baseAddress.unsafelyUnwrapped, buffer.count)
        guard count > 0 else { return nil }
        let text = buffer[..<count].map { UInt8(bitPattern: $0) }
        guard let open = text.firstIndex(of: UInt8(ascii: "[")), text.last == UInt8(ascii: "]") else { return nil }
        return decimal(text[(open + 1)..<(text.count - 1)])
    }
}

/// Processes that share their accounts: the same mount and user namespace and the same cgroup. Numbers of namespaces are given out again at
/// once, those of cgroups are not.
struct RealmKey: Equatable, Sendable, BitwiseCopyable {
    var mountNamespace: UInt32
    var userNamespace: UInt32
    var cgroup: UInt64

    /// Not 0. Whoever finds something by it compares the key.
    @inline(__always)
    var hash: UInt64 {
        let mixed = (cgroup ^ UInt64(mountNamespace) << 32 ^ UInt64(userNamespace)) &* 0xff51_afd7_ed55_8ccd
        return (mixed ^ mixed >> 33) | 1
    }
}

/// What was found out of a realm.
struct Realm: Sendable {
    /// Their root directory is the host's: a daemon's private mount namespace, or a container that is not put together yet. Without accounts.
    var hasHostRoot: Bool
    /// Nil: unchanged.
    var users: AccountFile?
    var groups: AccountFile?
    /// Empty in the host's own user namespace.
    var userMap: IDMap
    var groupMap: IDMap
}

/// Looks at a realm through one of its processes. All of it may block.
struct RealmLook: Sendable {
    var key: RealmKey
    /// The actor and its parent: the first that is still there and in the realm will do.
    var processes: (UInt32, UInt32)
    var knownUsers: AccountFile.Stamp?
    var knownGroups: AccountFile.Stamp?

    /// Nil: none of the processes is there any more.
    func look(_ host: HostIdentity) -> Realm? {
        look(host, processes.0) ?? look(host, processes.1)
    }

    private func look(_ host: HostIdentity, _ pid: UInt32) -> Realm? {
        guard pid > 0, pid <= UInt32(Int32.max) else { return nil }
        // With it a number that is given to another process is noticed.
        let process = hv_open_process(Int32(pid))
        guard process >= 0 else { return nil }
        defer { close(process) }
        let folder = "/proc/\(pid)"
        func isIn() -> Bool {
            namespaceInode("\(folder)/ns/mnt") == key.mountNamespace && namespaceInode("\(folder)/ns/user") == key.userNamespace
                && hv_process_lives(process) != 0
        }
        guard isIn() else { return nil }
        let root = hv_open_path("\(folder)/root")
        guard root >= 0 else { return nil }
        defer { close(root) }
        var place = hv_name()
        guard hv_name_of(root, &place) == 0 else { return nil }
        var realm = Realm(
            hasHostRoot: place.device == host.rootDevice && place.inode == host.rootInode, users: nil, groups: nil,
            userMap: .none, groupMap: .none)
        let sharesUsers = key.userNamespace == host.userNamespace
        if !sharesUsers {
            realm.userMap = Self.map("\(folder)/uid_map")
            realm.groupMap = Self.map("\(folder)/gid_map")
        }
        // The host's accounts are not a container's, which has not changed its root yet.
        if !realm.hasHostRoot && Self.isLocal(place, folder) {
            realm.users = AccountFile.tenant(root: root, "/etc/passwd", known: knownUsers)
            realm.groups = AccountFile.tenant(root: root, "/etc/group", known: knownGroups)
        } else {
            realm.users = AccountFile.none
            realm.groups = AccountFile.none
        }
        return isIn() ? realm : nil
    }

    private static func map(_ path: String) -> IDMap {
        guard let (text, whole) = readUpTo(64 << 10, path), whole else { return .none }
        return IDMap(parsing: text)
    }

    /// Types of file systems that answer out of this machine's own kernel. A tenant can serve others itself (FUSE), and let a look-up there
    /// wait for ever; even statfs(2) would.
    private static let local: Set<[UInt8]> = Set(
        [
            "ext2", "ext3", "ext4", "xfs", "btrfs", "overlay", "tmpfs", "ramfs", "rootfs", "squashfs", "erofs", "zfs", "f2fs", "bcachefs", "iso9660",
            "udf", "vfat", "jfs", "nilfs2", "aufs",
        ].map { Array($0.utf8) })

    private static func isLocal(_ place: hv_name, _ folder: String) -> Bool {
        if let type = type(mount: place.mount, readUpTo(4 << 20, "\(folder)/mountinfo")?.bytes ?? []) { return local.contains(type) }
        // A process is not shown the mount that its root lies in where that is a folder of it (chroot(2)). The same device is the same file
        // system, wherever it is mounted.
        guard let type = type(device: place.device, readUpTo(4 << 20, "/proc/self/mountinfo")?.bytes ?? []) else { return false }
        return local.contains(type)
    }

    /// The type of the first mount with this id, or of this device (major << 20 | minor). proc_pid_mountinfo(5): id, parent, major:minor, ...,
    /// " - ", type, ...
    static func type(mount: UInt64? = nil, device: UInt32? = nil, _ mountinfo: [UInt8]) -> [UInt8]? {
        for line in mountinfo.split(separator: 0x0a) {
            let words = line.split(separator: 0x20)
            guard words.count > 6 else { continue }
            if let mount, decimal(words[0]) != mount { continue }
            if let device {
                let numbers = words[2].split(separator: UInt8(ascii: ":")).map { decimal($0) as UInt32? }
                guard numbers.count == 2, let major = numbers[0], let minor = numbers[1], major < 4096, major << 20 | minor == device else { continue }
            }
            // Six fixed fields are before the optional ones, none of which is a lone dash.
            guard let dash = words[6...].firstIndex(of: [UInt8(ascii: "-")]), dash + 1 < words.count else { return nil }
            return Array(words[dash + 1])
        }
        return nil
    }
}
