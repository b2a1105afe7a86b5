/// The mounts of a mount namespace: from (device, path inside its file system) to the path as that namespace has it.
///
/// Format: Documentation/filesystems/proc.rst, 3.5 /proc/<pid>/mountinfo. Paths are bytes, not text.
package struct MountTable: Sendable {
    package struct Mount: Sendable, Equatable {
        package var id: UInt64
        /// Id of the mount it lies on.
        package var parent: UInt64
        /// s_dev of its file system: major << 20 | minor.
        package var device: UInt32
        /// What of the file system it shows, from that one's root. Of a folder that was deleted, with `//deleted` behind it.
        package var root: [UInt8]
        /// Where.
        package var point: [UInt8]
        package var type: String
        /// Of an overlay, where its changes go: a path as the one who mounted it had it. Else empty.
        package var upper: [UInt8] = []
        /// Another mount covers its point, or the point of one that it lies on: no name leads to it.
        package var hidden = false
    }

    package enum Reach: Sendable, Equatable {
        /// The path leads to the object.
        case visible
        /// It would, were another mount not over it.
        case hidden
    }

    package private(set) var mounts: [Mount] = []
    private var index = MountIndex()

    package init() {}

    /// Lines that are not of the format are left out.
    package init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: 0x0a) {
            let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard fields.count >= 7, let dash = fields.dropFirst(6).firstIndex(of: [0x2d]), fields.count > dash + 1 else { continue }
            let device = fields[2].split(separator: 0x3a)
            guard device.count == 2, let major = Self.number(device[0]), let minor = Self.number(device[1]), let id = Self.number(fields[0]),
                let parent = Self.number(fields[1]), major < 1 << 12, minor < 1 << 20
            else { continue }
            mounts.append(
                Mount(
                    id: id, parent: parent, device: UInt32(major << 20 | minor), root: Self.unescaped(fields[3]), point: Self.unescaped(fields[4]),
                    type: String(decoding: fields[dash + 1], as: UTF8.self), upper: Self.upper(fields.count > dash + 3 ? fields[dash + 3] : [])))
        }
        index = MountIndex(mounts)
        for at in mounts.indices { mounts[at].hidden = index.isHidden(at, mounts) }
    }

    /// Of pid 1, else of this process.
    package static func ofHost() -> MountTable {
        MountTable(parsing: readBytes("/proc/1/mountinfo") ?? readBytes("/proc/self/mountinfo") ?? [])
    }

    private static func upper(_ options: ArraySlice<UInt8>) -> [UInt8] {
        let name = Array("upperdir=".utf8)
        guard let option = options.split(separator: 0x2c).first(where: { $0.starts(with: name) }) else { return [] }
        return unescaped(option.dropFirst(name.count))
    }

    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? { UInt64(String(decoding: field, as: UTF8.self)) }

    /// Space, tab, newline and backslash stand as \ooo (fs/proc_namespace.c, mangle).
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        guard field.contains(0x5c) else { return Array(field) }
        var out: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == 0x5c, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                out.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }))
                rest = rest.dropFirst(3)
            } else {
                out.append(byte)
            }
        }
        return out
    }

    /// Where mounts lie that another table does not have.
    func points(beyond other: MountTable) -> [[UInt8]] {
        mounts.filter { mount in other.mount(id: mount.id).map { $0.point != mount.point || $0.device != mount.device } ?? true }.map(\.point)
    }

    package func mount(id: UInt64) -> Mount? { index.position(id: id).map { mounts[$0] } }

    /// The path of an object into `path`; nil where no mount shows it. A mount that is visible goes before one that is hidden, of those one
    /// whose path `prefers`, of those the first of the table. Steps: the components of `inner` and, for each mount that shows it, those of
    /// its path.
    ///
    /// - Parameter inner: path inside the file system.
    package func hostPath(
        device: UInt32, inner: UnsafeRawBufferPointer, into path: inout [UInt8], prefers: ([UInt8]) -> Bool
    ) -> Reach? {
        var best: (rank: Int, mount: Int, rest: Int)?
        index.forEachMount(device: device, showing: inner, mounts) { at, rest in
            write(at, inner, rest, &path)
            let visible = !mounts[at].hidden && !index.isCovered(path, by: at, mounts)
            let rank = (visible ? 0 : 2) + (prefers(path) ? 0 : 1)
            if let best, (best.rank, best.mount) < (rank, at) { return }
            best = (rank, at, rest)
        }
        guard let best else { return nil }
        write(best.mount, inner, best.rest, &path)
        return best.rank < 2 ? .visible : .hidden
    }

    /// Whether something is mounted on a name in this folder (`host`: its path, empty for the root), or a file or folder in it (`inner`: its
    /// path inside its file system) is mounted elsewhere.
    package func hasMount(in host: [UInt8], device: UInt32, inner: UnsafeRawBufferPointer) -> Bool {
        func isIn(_ path: [UInt8], _ folder: some Sequence<UInt8>, _ count: Int) -> Bool {
            path.count > count + 1 && path[count] == 0x2f && path.starts(with: folder) && !path[(count + 1)...].contains(0x2f)
        }
        return mounts.contains { isIn($0.point, host, host.count) || $0.device == device && isIn($0.root, inner, inner.count) }
    }

    /// `rest`: where in `inner` what lies below the mount's root begins.
    private func write(_ at: Int, _ inner: UnsafeRawBufferPointer, _ rest: Int, _ path: inout [UInt8]) {
        path.removeAll(keepingCapacity: true)
        path.append(contentsOf: mounts[at].point)
        guard rest < inner.count else { return }
        if path.last == 0x2f { path.removeLast() }
        path.append(contentsOf: inner[rest...])
    }
}

/// Look-ups that would otherwise go through a table of thousands of mounts for each event.
struct MountIndex: Sendable {
    private var byID: [UInt64: Int] = [:]
    /// First mount that shows (device, root), by the hash of both, and the next of the same slot.
    private var roots: [Int32] = []
    private var nextRoot: [Int32] = []
    /// The same by (parent, point).
    private var points: [Int32] = []
    private var nextPoint: [Int32] = []
    private var mask = 0

    init() {}

    init(_ mounts: [MountTable.Mount]) {
        var size = 16
        while size < mounts.count * 2 { size <<= 1 }
        mask = size - 1
        roots = [Int32](repeating: -1, count: size)
        points = roots
        nextRoot = [Int32](repeating: -1, count: mounts.count)
        nextPoint = nextRoot
        for (at, mount) in mounts.enumerated() {
            byID[mount.id] = at
            let root = slot(UInt64(mount.device), PathTable.hash(Self.prefix(mount.root)))
            nextRoot[at] = roots[root]
            roots[root] = Int32(at)
            let point = slot(mount.parent, PathTable.hash(Self.prefix(mount.point)))
            nextPoint[at] = points[point]
            points[point] = Int32(at)
        }
    }

    func position(id: UInt64) -> Int? { byID[id] }

    /// The root as a prefix of other paths is empty.
    private static func prefix(_ path: [UInt8]) -> ArraySlice<UInt8> { path.count == 1 ? [] : path[...] }

    private func slot(_ number: UInt64, _ hash: UInt64) -> Int {
        let mixed = (number &* 0x9e37_79b9_7f4a_7c15) ^ hash
        return Int(truncatingIfNeeded: (mixed ^ mixed >> 32) & UInt64(mask))
    }

    /// The mounts of this device whose root is `inner` or above it, with where in it the rest begins (at its slash).
    func forEachMount(device: UInt32, showing inner: UnsafeRawBufferPointer, _ mounts: [MountTable.Mount], _ body: (Int, Int) -> Void) {
        guard !roots.isEmpty else { return }
        var hash = PathTable.seed
        var end = 0
        let last = inner.count == 1 ? 0 : inner.count
        while end <= last {
            if end == last || inner[end] == 0x2f {
                var at = roots[slot(UInt64(device), hash)]
                while at >= 0 {
                    let mount = mounts[Int(at)]
                    let root = Self.prefix(mount.root)
                    if mount.device == device, root.count == end, root.elementsEqual(UnsafeRawBufferPointer(rebasing: inner[..<end])) {
                        // The root of the file system itself has nothing but its slash.
                        body(Int(at), end == last ? inner.count : end)
                    }
                    at = nextRoot[Int(at)]
                }
                if end == last { return }
            }
            hash = PathTable.step(hash, inner[end])
            end += 1
        }
    }

    /// Whether a mount that lies on this one hides the path, which lies in it.
    func isCovered(_ path: [UInt8], by own: Int, _ mounts: [MountTable.Mount]) -> Bool {
        let mount = mounts[own]
        var hash = PathTable.seed
        var end = 0
        let last = path.count == 1 ? 0 : path.count
        let from = mount.point.count == 1 ? 0 : mount.point.count
        while true {
            if end >= from, end == last || path[end] == 0x2f {
                var at = points[slot(mount.id, hash)]
                while at >= 0 {
                    let other = mounts[Int(at)]
                    if other.parent == mount.id, Int(at) != own, other.id != mount.id, Self.prefix(other.point).elementsEqual(path[..<end]) { return true }
                    at = nextPoint[Int(at)]
                }
            }
            if end == last { return false }
            hash = PathTable.step(hash, path[end])
            end += 1
        }
    }

    /// Whether no name leads to this mount's point: another lies on it there, or over one that it lies on.
    func isHidden(_ position: Int, _ mounts: [MountTable.Mount]) -> Bool {
        if isCovered(mounts[position].point, by: position, mounts) { return true }
        var at = position
        // What lies on what is a tree; a table that says otherwise, or was read while it changed, ends here.
        for _ in 0..<256 {
            guard let parent = byID[mounts[at].parent], parent != at else { return false }
            // Another mount on the way from the parent's point to this one's.
            if isCoveredAbove(at, on: parent, mounts) { return true }
            at = parent
        }
        return false
    }

    private func isCoveredAbove(_ child: Int, on parent: Int, _ mounts: [MountTable.Mount]) -> Bool {
        // At the child's own point the child is what is found; between it and the parent's point, something may lie over both.
        let point = mounts[child].point
        guard point.count > 1, let slash = point.lastIndex(of: 0x2f) else { return false }
        let above = Array(point[..<max(slash, 1)])
        return above.count >= mounts[parent].point.count && isCovered(above, by: parent, mounts)
    }
}
