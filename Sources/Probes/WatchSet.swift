internal import CLibbpf
internal import Glibc
internal import KernelABI

/// The watched trees, as entries by inode in the kernel's map. Identities come from the kernel itself: `stat` tells another device on
/// btrfs and overlayfs, and no generation. No handle stays open: one would block an umount.
package final class WatchSet {
    package private(set) var paths = WatchPaths()
    package private(set) var mounts = MountTable()
    /// Configured paths that don't exist (yet); their parents are watched for the name.
    package private(set) var missing: [String] = []
    /// What could not be watched, and why.
    package private(set) var problems: [(path: String, reason: String)] = []
    /// One existing directory on each watched file system, with its type: where the canary acts.
    package private(set) var fileSystems: [(device: UInt32, type: String, mountPoint: String)] = []

    private let watched: [String]
    private let ignored: [String]
    private let maps: (watches: Int32, epoch: Int32, overlays: Int32, identities: OpaquePointer)
    private var entries: [Key: hv_watch] = [:]

    struct Key: Hashable {
        let inode: UInt64
        let device: UInt32
        let generation: UInt32
    }

    /// - Returns: nil where the file programs are not loaded.
    package init?(_ probes: Probes, watched: [String], ignored: [String]) {
        guard let maps = probes.fileObjectMaps else { return nil }
        self.maps = maps
        self.watched = watched
        self.ignored = ignored
    }

    private struct Wanted {
        let path: String
        let policy: Int32
        let entry: Int
    }

    /// Settles all paths anew and brings the kernel's entries in line.
    package func resolve() {
        mounts = MountTable.ofHost()
        missing = []
        problems = []
        var wanted: [Wanted] = []
        var names = WatchPaths()
        for (index, path) in (watched + ignored).enumerated() {
            let watch = index < watched.count
            let policy = watch ? HV_WATCH_TREE : HV_WATCH_IGNORE
            names.add(path, watched: watch)
            guard let real = realPath(path) else {
                if watch {
                    missing.append(path)
                    if let parent = nearestDirectory(above: path) { wanted.append(Wanted(path: parent, policy: HV_WATCH_CHILDREN, entry: index + 1)) }
                }
                continue
            }
            names.add(real, watched: watch)
            wanted.append(Wanted(path: real, policy: policy, entry: index + 1))
            if watch && (!isDirectory(real) || real != path) {
                // A file that is replaced, or a link that is turned elsewhere, keeps its name and not its inode.
                for name in Set([real, path]) where !isDirectory(name) || name != real {
                    if let parent = nearestDirectory(above: name) { wanted.append(Wanted(path: parent, policy: HV_WATCH_CHILDREN, entry: index + 1)) }
                }
            }
        }
        paths = names
        // Ancestry ends at a file system's root: what is mounted below a watched tree has entries of its own.
        for mount in mounts.mounts where names.contains(mount.point) {
            let point = String(decoding: mount.point, as: UTF8.self)
            let entry = (watched.indices.filter { point.hasPrefix(watched[$0]) }.max { watched[$0].count < watched[$1].count } ?? 0) + 1
            wanted.append(Wanted(path: point, policy: HV_WATCH_TREE, entry: entry))
        }
        apply(wanted)
        noteFileSystems(wanted)
    }

    /// Whether a missing path has come into being, so that it is time to resolve again.
    package func somethingAppeared() -> Bool {
        missing.contains { access($0, F_OK) == 0 }
    }

    /// Takes a directory in, with the policy bit that marks the canary's own files; `remove` takes it out again.
    package func addCanary(directory: String) -> Bool {
        guard let key = identities(of: [directory])[directory] else { return false }
        canary = key
        return update(key, hv_watch(policy: UInt32(HV_WATCH_TREE | HV_WATCH_CANARY), entry: 0))
    }

    package func removeCanary() {
        guard let canary else { return }
        self.canary = nil
        var key = hv_inode_key(inode: canary.inode, device: canary.device, generation: canary.generation)
        bpf_map_delete_elem(maps.watches, &key)
        bumpEpoch()
    }
    private var canary: Key?

    private func apply(_ wanted: [Wanted]) {
        let keys = identities(of: Array(Set(wanted.map(\.path))))
        var fresh: [Key: hv_watch] = [:]
        for entry in wanted {
            guard let key = keys[entry.path] else {
                problems.append((entry.path, "it can't be opened, or the kernel does not tell its identity"))
                continue
            }
            // A parent that is watched for a name of its own must not hide that it, or one above it, is watched as a tree.
            if let known = fresh[key], entry.policy == HV_WATCH_CHILDREN || known.policy == UInt32(HV_WATCH_TREE) { continue }
            fresh[key] = hv_watch(policy: UInt32(entry.policy), entry: UInt32(entry.entry))
        }
        for key in entries.keys where fresh[key] == nil {
            var gone = hv_inode_key(inode: key.inode, device: key.device, generation: key.generation)
            bpf_map_delete_elem(maps.watches, &gone)
        }
        for (key, watch) in fresh where !update(key, watch) {
            problems.append(("entry \(watch.entry)", "the table of watch entries is full; raise limits.watches"))
        }
        entries = fresh
        bumpEpoch()
    }

    private func update(_ key: Key, _ watch: hv_watch) -> Bool {
        var key = hv_inode_key(inode: key.inode, device: key.device, generation: key.generation)
        var watch = watch
        defer { bumpEpoch() }
        return bpf_map_update_elem(maps.watches, &key, &watch, 0) == 0
    }

    /// What the kernel keeps of inodes is settled anew.
    package func forgetVerdicts() { bumpEpoch() }

    /// No kept verdict of the kernel's counts any more.
    private func bumpEpoch() {
        var key: UInt32 = 0, epoch: UInt64 = 0
        bpf_map_lookup_elem(maps.epoch, &key, &epoch)
        // The kernel counts up by one as well; if it does just now, this is another number all the same.
        epoch &+= 1 << 32
        bpf_map_update_elem(maps.epoch, &key, &epoch, 0)
    }

    /// Identities as the programs see them, through an iterator over this process's own handles.
    private func identities(of paths: [String]) -> [String: Key] {
        var opened: [UInt32: String] = [:]
        defer { opened.keys.forEach { close(Int32($0)) } }
        for path in paths {
            let descriptor = hv_open_path(path)
            if descriptor >= 0 { opened[UInt32(descriptor)] = path }
        }
        guard let link = bpf_program__attach_iter(maps.identities, nil) else { return [:] }
        defer { bpf_link__destroy(link) }
        let iterator = bpf_iter_create(bpf_link__fd(link))
        guard iterator >= 0 else { return [:] }
        defer { close(iterator) }
        var found: [String: Key] = [:]
        guard let bytes = readBytes(from: iterator) else { return [:] }
        bytes.withUnsafeBytes { bytes in
            for offset in stride(from: 0, through: bytes.count - MemoryLayout<hv_identity>.size, by: MemoryLayout<hv_identity>.size) {
                let identity = bytes.loadUnaligned(fromByteOffset: offset, as: hv_identity.self)
                if let path = opened[identity.fd] {
                    found[path] = Key(inode: identity.key.inode, device: identity.key.device, generation: identity.key.generation)
                }
            }
        }
        return found
    }

    private func noteFileSystems(_ wanted: [Wanted]) {
        let devices = Set(entries.filter { $0.value.policy & UInt32(HV_WATCH_TREE) != 0 }.keys.map(\.device))
        fileSystems = devices.sorted().compactMap { device in
            guard let mount = mounts.mounts.first(where: { $0.device == device && $0.root == [0x2f] }) ?? mounts.mounts.first(where: { $0.device == device })
            else { return nil }
            return (device, mount.type, String(decoding: mount.point, as: UTF8.self))
        }
        var key: UInt32 = 0
        var any: UInt64 = fileSystems.contains { $0.type == "overlay" } ? 1 : 0
        bpf_map_update_elem(maps.overlays, &key, &any, 0)
    }
}

func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
}

func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// The deepest existing directory above a path, links followed.
func nearestDirectory(above path: String) -> String? {
    var components = path.split(separator: "/")
    while !components.isEmpty {
        components.removeLast()
        if let real = realPath("/" + components.joined(separator: "/")), isDirectory(real) { return real }
    }
    return nil
}
