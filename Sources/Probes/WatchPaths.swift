/// Which paths are watched, by name: the nearest entry at or above a path decides. What the kernel can't settle by inode is settled here.
///
/// Of entries that are as near, a plain path goes before a pattern, and a later one before an earlier.
package struct WatchPaths: Sendable {
    package struct Decision: Sendable, Equatable {
        /// The number that the entry was added with.
        package let item: Int
        package let watched: Bool
        /// A bit `1 << action` (enum hv_file_action) for each action that is not wanted.
        package let unwanted: UInt32
    }
    private struct Pattern {
        let glob: Glob
        let decision: Decision
        /// The next pattern with the same fixed folder, or -1.
        let next: Int32
    }

    private var decisions: [Decision] = []
    /// Paths, with an index of `decisions`.
    private var plain = PathTable()
    /// Fixed folders of patterns, with the index of the last pattern that has it.
    private var folders = PathTable()
    private var patterns: [Pattern] = []

    package init() {}

    package mutating func add(_ path: String, watched: Bool) { add(Array(path.utf8), Decision(item: decisions.count, watched: watched, unwanted: 0)) }

    package mutating func add(_ path: [UInt8], _ decision: Decision) {
        if let glob = Glob(path) { add(glob, decision) } else { addPlain(Glob.plain(path), decision) }
    }

    mutating func add(_ glob: Glob, _ decision: Decision) {
        patterns.append(Pattern(glob: glob, decision: decision, next: folders.value(glob.fixed) ?? -1))
        folders.set(glob.fixed, Int32(patterns.count - 1))
    }

    /// A path as it is, whatever bytes are in it.
    mutating func addPlain(_ path: [UInt8], _ decision: Decision) {
        var path = path
        while path.last == 0x2f { path.removeLast() }
        plain.set(path, Int32(decisions.count))
        decisions.append(decision)
    }

    package func contains(_ path: [UInt8]) -> Bool { decide(path)?.watched ?? false }

    /// Whether it is watched, with an action of this number wanted.
    package func wants(_ path: [UInt8], action: UInt32) -> Bool {
        guard let decision = decide(path), decision.watched else { return false }
        return action >= 32 || decision.unwanted & 1 << action == 0
    }

    /// - Parameter path: absolute; nothing decides for other bytes.
    package func decide(_ path: [UInt8]) -> Decision? {
        guard path.first == 0x2f else { return nil }
        var best: Decision?
        var bestEnd = -1
        var bestIsPlain = false
        var bestPattern = -1
        var hash = PathTable.seed
        var end = 0
        let last = path.count == 1 ? 0 : path.count
        while true {
            // Here `path[..<end]` is the whole of a name, or empty for the root.
            if end == last || path[end] == 0x2f {
                if let index = plain.value(path, end, hash: hash), end > bestEnd || end == bestEnd && !bestIsPlain {
                    best = decisions[Int(index)]
                    bestEnd = end
                    bestIsPlain = true
                }
                var next = folders.value(path, end, hash: hash) ?? -1
                while next >= 0 {
                    let pattern = patterns[Int(next)]
                    if let matched = pattern.glob.match(path), matched > bestEnd || matched == bestEnd && !bestIsPlain && Int(next) > bestPattern {
                        best = pattern.decision
                        bestEnd = matched
                        bestIsPlain = false
                        bestPattern = Int(next)
                    }
                    next = pattern.next
                }
                if end == last { return best }
            }
            hash = PathTable.step(hash, path[end])
            end += 1
        }
    }

    /// Whether a pattern may decide otherwise for names below this path: what lies there can't be settled by the inode of a folder alone.
    func hasOtherPatterns(below path: [UInt8], than decision: Decision) -> Bool {
        patterns.contains { pattern in
            (pattern.decision.watched != decision.watched || decision.watched && pattern.decision.unwanted != decision.unwanted)
                && (Self.isBelow(pattern.glob.fixed, path) || Self.isBelow(path, pattern.glob.fixed))
        }
    }

    /// At or below.
    static func isBelow(_ path: [UInt8], _ folder: [UInt8]) -> Bool {
        if folder.count <= 1 { return true }
        return path.count >= folder.count && (path.count == folder.count || path[folder.count] == 0x2f) && path.starts(with: folder)
    }
}
