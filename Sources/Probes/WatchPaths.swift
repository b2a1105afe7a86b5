/// Which paths are watched, by name: the nearest entry above a path decides. What the kernel can't settle by inode is settled here.
package struct WatchPaths: Sendable {
    /// Longest first, so that the first that matches is the nearest.
    private var entries: [(path: [UInt8], watched: Bool)] = []

    package init() {}

    package mutating func add(_ path: String, watched: Bool) {
        var bytes = Array(path.utf8)
        while bytes.count > 1 && bytes.last == 0x2f { bytes.removeLast() }
        guard !entries.contains(where: { $0.path == bytes && $0.watched == watched }) else { return }
        entries.append((bytes, watched))
        entries.sort { $0.path.count > $1.path.count }
    }

    package func contains(_ path: [UInt8]) -> Bool {
        for entry in entries {
            if entry.path.count == 1 { return entry.watched }
            guard path.count >= entry.path.count, path.starts(with: entry.path) else { continue }
            if path.count == entry.path.count || path[entry.path.count] == 0x2f { return entry.watched }
        }
        return false
    }
}
