internal import Glibc
internal import KernelABI

/// Executables of virtual machine monitors, by inode: a copy under the same name is another file. Belongs to one thread.
package final class MachinePrograms {
    package typealias Program = VirtualMachine.Program

    /// What the kernel calls a file (`hv_object`).
    package struct Identity: Hashable, Sendable {
        /// s_dev: major << 20 | minor.
        package var device: UInt32
        package var inode: UInt64

        package init(device: UInt32, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    /// Folders and names where packages put them; a `*` ends a name.
    static let packaged: [(folder: String, name: String, program: Program)] = {
        let folders = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/kata/bin", "/opt/kata/runtime-rs/bin", "/opt/incus/bin", "/snap/lxd/current/bin"]
        var all: [(String, String, Program)] = folders.flatMap { folder in
            [
                (folder, "qemu-system-*", .qemu), (folder, "firecracker", .firecracker), (folder, "jailer", .jailer),
                (folder, "cloud-hypervisor", .cloudHypervisor),
            ]
        }
        all += [
            ("/usr/bin", "kvm", .qemu), ("/usr/bin", "qemu-kvm", .qemu), ("/usr/libexec", "qemu-kvm", .qemu), ("/usr/lib/qemu-kvm", "qemu-kvm", .qemu),
            ("/usr/libexec/incus", "qemu-system-*", .qemu), ("/usr/lib/incus", "qemu-system-*", .qemu),
            ("/run/current-system/sw/bin", "qemu-system-*", .qemu),
        ]
        return all
    }()

    private let configured: [(path: String, program: Program)]
    private let files: HostFiles
    private let root: String
    private let identify: (String) -> Identity?
    private var known: [Identity: (path: String, program: Program)] = [:]
    /// Names that the known have, to see when another file has taken one's place.
    private var names: [[UInt8]: Program] = [:]

    /// - Parameters:
    ///   - configured: paths beside the packaged ones (`attribution.vmms`).
    ///   - root: tests have theirs elsewhere.
    ///   - identify: a path's identity as records have it.
    package init(configured: [String] = [], root: String = "", identify: ((String) -> Identity?)? = nil) {
        self.configured = configured.map { ($0, Self.program(named: $0)) }
        self.root = root
        files = HostFiles(root: root)
        self.identify = identify ?? Self.status
        refresh()
    }

    /// What a configured program is, by its name; QEMU where that says nothing.
    private static func program(named path: String) -> Program {
        let name = path.split(separator: "/").last ?? ""
        for program in [Program.jailer, .firecracker, .cloudHypervisor] where name.hasPrefix(program.rawValue) { return program }
        return .qemu
    }

    /// What the kernel's records call a file. On btrfs and overlayfs stat(2) tells another device than the file system's; the mount table doesn't.
    package static func status(_ path: String) -> Identity? {
        let handle = hv_open_path(path)
        guard handle >= 0 else { return nil }
        defer { close(handle) }
        var status = stat()
        guard fstat(handle, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let mount = FileOpener.mount(of: handle).flatMap { id in contents("/proc/self/mountinfo").flatMap { MountLine(id: id, in: $0) } }
        return Identity(device: mount?.device ?? hv_device(UInt64(status.st_dev)), inode: UInt64(status.st_ino))
    }

    /// Looks again what the paths are. A dozen calls of stat(2); where programs may have been replaced.
    package func refresh() {
        known = [:]
        names = [:]
        for (folder, name, program) in Self.packaged {
            if name.hasSuffix("*") {
                for found in files.names(in: folder) where found.hasPrefix(name.dropLast()) { add("\(folder)/\(found)", program) }
            } else {
                add("\(folder)/\(name)", program)
            }
        }
        for (path, program) in configured { add(path, program) }
    }

    private func add(_ path: String, _ program: Program) {
        names[Array(path.utf8)] = program
        guard let identity = resolve(path) else { return }
        known[identity] = (path, program)
        // Records have the path without links.
        if root.isEmpty, let real = realpath(path, nil) {
            names[Array(String(cString: real).utf8)] = program
            free(real)
        }
    }

    /// A packaged one has to be root's, and nobody else's to write.
    private func resolve(_ path: String) -> Identity? {
        let isPackaged = !configured.contains { $0.path == path }
        var status = stat()
        guard stat(root + path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        if isPackaged, status.st_uid != 0 || status.st_mode & 0o022 != 0 { return nil }
        return identify(root + path)
    }

    /// What of these an executable is. One that is gets looked at again by its name: the number may be another file's by now, but not while it runs. Nothing
    /// else touches the disk, save what bears a name of theirs.
    /// - Parameters:
    ///   - path: the executable's, as the record has it; only believed in the host's mount namespace, where those paths are root's to fill: there another
    ///     file under a known name is a new version.
    package func find(_ identity: Identity, path: UnsafeRawBufferPointer, isInHostMountNamespace: Bool) -> Program? {
        if let (name, program) = known[identity] {
            if resolve(name) == identity { return program }
            known[identity] = nil
        }
        guard isInHostMountNamespace, path.first == 0x2f, path.count < 256, mayBeOne(path) else { return nil }
        let name = Array(path)
        guard let program = names[name] ?? fresh(name) else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        guard resolve(text) == identity else { return nil }
        known[identity] = (text, program)
        names[name] = program
        return program
    }

    /// By its first letters, after the last slash: nearly every exec ends here, without an allocation. Others' are paths of the configuration.
    private func mayBeOne(_ path: UnsafeRawBufferPointer) -> Bool {
        if !configured.isEmpty { return true }
        var slash = path.count - 1
        while slash > 0, path[slash] != 0x2f { slash -= 1 }
        guard slash + 2 < path.count else { return false }
        switch (path[slash + 1], path[slash + 2]) {
        // qemu, kvm, firecracker, jailer, cloud-hypervisor, and packages' own names behind a link begin so as well.
        case (UInt8(ascii: "q"), UInt8(ascii: "e")), (UInt8(ascii: "k"), UInt8(ascii: "v")), (UInt8(ascii: "f"), UInt8(ascii: "i")),
            (UInt8(ascii: "j"), UInt8(ascii: "a")), (UInt8(ascii: "c"), UInt8(ascii: "l")):
            return true
        default: return false
        }
    }

    /// A program that was installed since the last look.
    private func fresh(_ path: [UInt8]) -> Program? {
        guard let slash = path.lastIndex(of: 0x2f) else { return nil }
        let name = path[(slash + 1)...]
        guard name.starts(with: Self.qemuPrefix) || Self.startNames.contains(Array(name)) else { return nil }
        let folder = path[..<slash]
        for (known, pattern, program) in Self.packaged where folder.elementsEqual(known.utf8) {
            if pattern.hasSuffix("*") ? name.starts(with: pattern.dropLast().utf8) : name.elementsEqual(pattern.utf8) { return program }
        }
        return nil
    }

    private static let qemuPrefix = Array("qemu-system-".utf8)
    private static let startNames: Set<[UInt8]> = Set(["firecracker", "jailer", "cloud-hypervisor", "kvm", "qemu-kvm"].map { Array($0.utf8) })

    package var count: Int { known.count }

    /// Whether one of them has this number: cheaper to ask than what file it is.
    package func mayHave(inode: UInt64) -> Bool { known.keys.contains { $0.inode == inode } }
}
