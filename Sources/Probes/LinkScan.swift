internal import Glibc
internal import KernelABI
internal import Synchronization

/// Finds files with more than one hard link in watched trees: a link elsewhere has other ancestors, so they need an entry by their own
/// inode. A thread of lowest priority walks the trees; what it finds waits until the consumer's thread takes it.
final class LinkScan: Sendable {
    struct Found: Sendable {
        let key: InodeKey
        let item: Int
        let path: [UInt8]
        let name: FoundName
    }
    private struct Shared {
        var paths: [[UInt8]] = []
        var names = WatchPaths()
        var skipped: Set<UInt32> = []
        var found: [Found] = []
        var running = false
        var stop = false
        var scanned = 0
    }
    private let shared = Mutex(Shared())
    private let identify: @Sendable ([[UInt8]]) -> [Int: InodeKey]

    /// Trees that may wait, and links that may wait to be taken: a flood of either costs no more memory than that.
    private static let mostWaiting = 4096
    /// Names between two naps, and how long these are: about 100,000 names a second at most.
    private static let slice = 256
    private static let nap: UInt32 = 2000

    /// - Parameter identify: identities of paths by their index, from the scan's own thread (`Identities.of`).
    init(identify: @escaping @Sendable ([[UInt8]]) -> [Int: InodeKey]) { self.identify = identify }

    /// Scans these trees, after those that wait.
    ///
    /// - Parameters:
    ///   - names: what is watched, to which item each name belongs.
    ///   - skipping: devices (st_dev) of file systems that have no hard links.
    func scan(_ paths: [[UInt8]], names: WatchPaths, skipping: Set<UInt32>) {
        let start = shared.withLock { shared in
            shared.paths += paths.prefix(max(0, Self.mostWaiting - shared.paths.count))
            shared.names = names
            shared.skipped = skipping
            guard !shared.running, !shared.paths.isEmpty else { return false }
            shared.running = true
            return true
        }
        guard start else { return }
        let context = Unmanaged.passRetained(self)
        let failed = hv_detached_thread({ Unmanaged<LinkScan>.fromOpaque($0.unsafelyUnwrapped).takeRetainedValue().run() }, context.toOpaque())
        if failed != 0 {
            context.release()
            shared.withLock { $0.running = false }
        }
    }

    /// What was found since the last call.
    func take() -> [Found] {
        shared.withLock { shared in
            defer { shared.found = [] }
            return shared.found
        }
    }

    /// Names looked at so far, and whether more are to come.
    var progress: (scanned: Int, running: Bool) { shared.withLock { ($0.scanned, $0.running) } }

    func stop() { shared.withLock { $0.stop = true } }

    // MARK: in the thread

    private func run() {
        hv_be_idle()
        // Each mount once, whichever trees lead into it. (Folders of one mount can't be met twice but by overlapping trees.)
        var entered: Set<[UInt64]> = []
        while true {
            let (tree, names, skipped): ([UInt8]?, WatchPaths, Set<UInt32>) = shared.withLock { shared in
                if shared.paths.isEmpty || shared.stop { shared.running = false }
                return (shared.running ? shared.paths.removeFirst() : nil, shared.names, shared.skipped)
            }
            guard let tree else { return }
            walk(tree, names, skipped, &entered)
        }
    }

    private func walk(_ tree: [UInt8], _ names: WatchPaths, _ skipped: Set<UInt32>, _ entered: inout Set<[UInt64]>) {
        guard let root = FoundName(tree), !skipped.contains(root.device) else { return }
        var batch: [([UInt8], FoundName, Int)] = []
        if !root.isDirectory { note(tree, root, names, &batch) }
        var folders: [(path: [UInt8], mount: UInt64)] = root.isDirectory ? [(tree, root.mount)] : []
        var looked = 0
        while let (folder, mount) = folders.popLast() {
            for (name, type) in NameWalk.names(in: folder) ?? [] {
                looked += 1
                if looked % Self.slice == 0 {
                    usleep(Self.nap)
                    if shared.withLock({ $0.scanned += Self.slice; return $0.stop }) { return }
                }
                guard type == DT_DIR || type == DT_REG || type == DT_UNKNOWN else { continue }
                let path = NameWalk.join(folder, name)
                guard let found = FoundName(path) else { continue }
                if found.isDirectory {
                    if found.mount != mount {
                        guard !skipped.contains(found.device), entered.insert([UInt64(found.device), found.inode, found.born]).inserted else { continue }
                    }
                    folders.append((path, found.mount))
                } else {
                    note(path, found, names, &batch)
                    if batch.count >= Self.slice { settle(&batch) }
                }
            }
        }
        settle(&batch)
        shared.withLock { $0.scanned += looked % Self.slice }
    }

    private func note(_ path: [UInt8], _ found: FoundName, _ names: WatchPaths, _ batch: inout [([UInt8], FoundName, Int)]) {
        guard found.mode & S_IFMT == S_IFREG, found.links > 1, let decision = names.decide(path), decision.watched else { return }
        batch.append((path, found, decision.item))
    }

    private func settle(_ batch: inout [([UInt8], FoundName, Int)]) {
        guard !batch.isEmpty else { return }
        let keys = identify(batch.map(\.0))
        let found = keys.compactMap { index, key in
            // Another object may have taken the name meanwhile.
            key.inode == batch[index].1.inode ? Found(key: key, item: batch[index].2, path: batch[index].0, name: batch[index].1) : nil
        }
        shared.withLock { $0.found += found }
        batch = []
    }
}
