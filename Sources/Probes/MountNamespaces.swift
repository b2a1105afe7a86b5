internal import Glibc

/// Mounts below watched trees that the host does not see: those of other mount namespaces. A namespace is read when it is first met, and
/// again when somebody in it mounts something.
struct MountNamespaces {
    private struct Known {
        var process: UInt32
        var keys: [InodeKey: Int]
        var round: Int
    }
    /// By the inode number of the namespace.
    private var known: [UInt64: Known] = [:]
    private var round = 0
    private let host: UInt64?

    /// Namespaces that are read in one go, and mounts of one that are taken in.
    private static let mostNew = 4096
    private static let mostMounts = 1024

    init() { host = Self.namespace(of: 1) }

    /// Keys of the roots of such mounts, with the item of the tree that they lie in.
    var keys: [InodeKey: Int] { known.values.reduce(into: [:]) { $0.merge($1.keys) { first, _ in first } } }

    /// Looks at all processes: reads namespaces that are not known, forgets those that are no more.
    mutating func survey(_ watched: WatchPaths, _ mounts: MountTable, _ identities: Identities, again: Bool) {
        round += 1
        var new = 0
        for (name, _) in NameWalk.names(in: Array("/proc".utf8)) ?? [] {
            guard let process = UInt32(String(decoding: name, as: UTF8.self)), let namespace = Self.namespace(of: process), namespace != host else { continue }
            if let old = known[namespace], old.round == round || !again {
                known[namespace]?.round = round
                known[namespace]?.process = process
                continue
            }
            guard new < Self.mostNew else { break }
            new += 1
            known[namespace] = Known(process: process, keys: Self.read(process, watched, mounts, identities), round: round)
        }
        known = known.filter { $0.value.round == round }
    }

    /// Reads the namespace of one process anew.
    /// - Returns: false: it is the host's own.
    mutating func refresh(process: UInt32, _ watched: WatchPaths, _ mounts: MountTable, _ identities: Identities) -> Bool {
        guard let namespace = Self.namespace(of: process) else { return true }
        if namespace == host { return false }
        known[namespace] = Known(process: process, keys: Self.read(process, watched, mounts, identities), round: round)
        return true
    }

    private static func namespace(of process: UInt32) -> UInt64? {
        // The link's text is the namespace; following it would open nothing either, but needs more rights.
        let path = Array("/proc/\(process)/ns/mnt".utf8)
        guard let text = NameWalk.link(path), text.count > 6 else { return nil }
        // "mnt:[4026531841]"
        return UInt64(String(decoding: text[5..<text.count - 1], as: UTF8.self))
    }

    private static func read(_ process: UInt32, _ watched: WatchPaths, _ host: MountTable, _ identities: Identities) -> [InodeKey: Int] {
        guard let bytes = readBytes("/proc/\(process)/mountinfo") else { return [:] }
        let below = below(MountTable(parsing: bytes), watched, host).prefix(mostMounts)
        let root = Array("/proc/\(process)/root".utf8)
        let paths = below.map { root + $0.point }
        var keys: [InodeKey: Int] = [:]
        for (index, key) in identities.of(paths) { keys[key] = below[index].item }
        return keys
    }

    /// Points of the mounts that lie in a watched tree of the host's, and are not watched by what they show already.
    static func below(_ table: MountTable, _ watched: WatchPaths, _ host: MountTable) -> [(point: [UInt8], item: Int)] {
        var found: [(point: [UInt8], item: Int)] = []
        // Item by mount: what lies on a mount that is taken in is taken in too.
        var taken: [UInt64: Int] = [:]
        var path: [UInt8] = []
        for mount in table.mounts where !mount.hidden {
            guard let parent = table.mount(id: mount.parent) else { continue }
            var item = taken[parent.id]
            if item == nil {
                // Where the mount lies, inside its parent's file system.
                var inner = parent.root.count == 1 ? [] : parent.root
                inner += mount.point.dropFirst(parent.point.count == 1 ? 0 : parent.point.count)
                let reach = inner.withUnsafeBytes { host.hostPath(device: parent.device, inner: $0, into: &path) { watched.contains($0) } }
                guard reach != nil, let decision = watched.decide(path), decision.watched else { continue }
                item = decision.item
            }
            let shown = mount.root.withUnsafeBytes { host.hostPath(device: mount.device, inner: $0, into: &path) { watched.contains($0) } }
            if shown != nil && watched.contains(path) { continue }
            guard let item else { continue }
            taken[mount.id] = item
            found.append((mount.point, item))
        }
        return found
    }
}
