internal import Glibc
internal import KernelABI

/// From items to the inodes that need an entry, by looking at the file system; nothing of the kernel's is touched.
struct WatchPlan {
    /// What one path asks for.
    struct Want {
        var policy: Int32
        /// Bits `1 << action`.
        var unwanted: UInt32
        var item: Int
        /// User space has the last word, by name.
        var refined: Bool
        /// What goes first where the table is too small.
        var rank: Int
        var found: FoundName
    }
    /// What became of an item at the last look.
    struct State {
        var found: FoundName?
        var real: [UInt8] = []
        /// The name leads through links, or is a pattern: looked at each time.
        var indirect = false
        var wants: [(path: [UInt8], want: Want)] = []
        var aliases: [Alias] = []
    }
    enum Alias: Equatable {
        case path([UInt8])
        case folder([UInt8])
    }

    let items: [WatchItem]
    private(set) var states: [State]
    private(set) var names = WatchPaths()
    /// Folders in which names on the way to watched ones were looked up.
    private(set) var ancestors: [[UInt8]: FoundName] = [:]
    /// Names whose change may change what the items lead to, and folders whose names were compared with patterns.
    private(set) var looked = PathTable()
    private(set) var listed = PathTable()
    /// Folders of the names in `looked`; the root is empty.
    private(set) var lookedIn = PathTable()
    private(set) var problems: [(path: String, reason: String)] = []
    private let globs: [Glob?]
    private var walk = NameWalk()
    private var procDevices: [UInt32: [UInt8]] = [:]
    private var left = 0

    /// Names that one pattern may match and folders it may list, before the whole folder above it is watched instead.
    static let mostMatches = 16_384

    init(_ items: [WatchItem]) {
        self.items = items
        globs = items.map { Glob($0.path) }
        states = items.map { _ in State() }
        for (index, item) in items.enumerated() { names.add(item.path, Self.decision(index, item)) }
    }

    private static func decision(_ index: Int, _ item: WatchItem) -> WatchPaths.Decision {
        .init(item: index, watched: item.watched, unwanted: item.unwanted)
    }

    /// Looks at the items anew.
    ///
    /// - Parameter touched: names of which something is known to have changed; nil: all.
    /// - Returns: the items that were looked at, with what was known of them before.
    mutating func settle(touched: [[UInt8]]?, mounts: MountTable) -> [(item: Int, before: State)] {
        walk = NameWalk()
        problems = []
        procDevices = [:]
        for mount in mounts.mounts where mount.type == "proc" && !mount.hidden && mount.root == [0x2f] && procDevices[mount.device] == nil {
            procDevices[mount.device] = mount.point
        }
        if touched == nil {
            ancestors = [:]
            looked = PathTable()
            listed = PathTable()
        }
        var done: [(item: Int, before: State)] = []
        var renamed = false
        for index in items.indices where touched.map({ concerns(index, $0) }) ?? true {
            let before = states[index]
            states[index] = globs[index].map { expand($0, index) } ?? follow(index)
            renamed = renamed || before.aliases != states[index].aliases
            done.append((index, before))
        }
        if renamed { rename() }
        if touched == nil {
            looked = walk.looked
            lookedIn = PathTable()
        } else {
            walk.looked.forEach { looked.set($0, 1) }
        }
        walk.looked.forEach {
            let folder = NameWalk.parent(of: $0)
            lookedIn.set(folder.count == 1 ? [] : folder, 1)
        }
        walk = NameWalk()
        return done
    }

    private func concerns(_ index: Int, _ touched: [[UInt8]]) -> Bool {
        if states[index].indirect { return true }
        return touched.contains { WatchPaths.isBelow(items[index].path, $0) }
    }

    /// Names as the items have them go before those that their links lead to.
    private mutating func rename() {
        names = WatchPaths()
        for (index, item) in items.enumerated() {
            for alias in states[index].aliases {
                switch alias {
                case .path(let path): names.addPlain(path, Self.decision(index, item))
                case .folder(let folder):
                    if let glob = globs[index]?.moved(to: folder) { names.add(glob, Self.decision(index, item)) }
                }
            }
        }
        for (index, item) in items.enumerated() { names.add(item.path, Self.decision(index, item)) }
    }

    // MARK: one item

    private mutating func note(_ place: NameWalk.Place) {
        for directory in place.directories where ancestors[directory] == nil { ancestors[directory] = walk.look(directory) }
    }

    private mutating func want(_ state: inout State, _ path: [UInt8], _ policy: Int32, _ index: Int, refined: Bool, rank: Int, unwanted: UInt32 = 0) {
        guard let found = walk.look(path) else { return }
        state.wants.append((path, Want(policy: policy, unwanted: unwanted, item: index, refined: refined, rank: rank, found: found)))
    }

    /// The entry of an object that an item names.
    private mutating func wantObject(_ state: inout State, _ path: [UInt8], _ found: FoundName, _ index: Int, refined: Bool) {
        let item = items[index]
        if let root = procDevices[found.device], path != root {
            // Objects of procfs come and go with their look-ups: there is nothing to hold on to but its root.
            if item.watched { want(&state, root, HV_WATCH_TREE, index, refined: true, rank: 0) }
            return
        }
        let other = names.hasOtherPatterns(below: path, than: Self.decision(index, item))
        want(&state, path, item.watched ? HV_WATCH_TREE : HV_WATCH_IGNORE, index, refined: item.watched && (refined || other), rank: 0, unwanted: item.unwanted)
    }

    private mutating func wantMissing(_ state: inout State, _ place: NameWalk.Place, _ index: Int) {
        guard items[index].watched else { return }
        want(&state, place.real, HV_WATCH_CHILDREN, index, refined: true, rank: 1, unwanted: place.missing == 1 ? 0 : onlyNameChanges)
    }

    private mutating func follow(_ index: Int) -> State {
        let path = Glob.plain(items[index].path)
        let place = walk.follow(path)
        if items[index].watched { note(place) }
        var state = State(found: place.found, real: place.real, indirect: place.linked)
        guard let found = place.found else {
            wantMissing(&state, place, index)
            return state
        }
        wantObject(&state, place.real, found, index, refined: false)
        if place.linked { state.aliases.append(.path(place.real)) } else { state.real = path }
        guard items[index].watched else { return state }
        // A file that is replaced, or a link that is turned elsewhere, keeps its name and not its inode.
        var parents: [[UInt8]] = []
        if !found.isDirectory { parents.append(NameWalk.parent(of: place.real)) }
        if place.linked { parents.append(walk.follow(NameWalk.parent(of: path)).real) }
        for parent in parents where procDevices[found.device] == nil { want(&state, parent, HV_WATCH_CHILDREN, index, refined: true, rank: 1) }
        return state
    }

    private mutating func expand(_ glob: Glob, _ index: Int) -> State {
        let fixed = glob.fixed.isEmpty ? [0x2f] : glob.fixed
        let place = walk.follow(fixed)
        if items[index].watched { note(place) }
        var state = State(found: nil, real: place.real, indirect: true)
        guard let found = place.found else {
            var place = place
            place.missing += 1
            wantMissing(&state, place, index)
            return state
        }
        guard found.isDirectory else { return state }
        if place.linked { state.aliases.append(.folder(place.real)) }
        left = Self.mostMatches
        descend(glob, glob.fixedParts, place.real, index, &state)
        if left < 0 {
            state.wants = []
            problems.append((String(decoding: items[index].path, as: UTF8.self), "it matches more than \(Self.mostMatches) names; everything below its first folder is looked at instead"))
            if items[index].watched { want(&state, place.real, HV_WATCH_TREE, index, refined: true, rank: 2) }
        }
        return state
    }

    private mutating func descend(_ glob: Glob, _ part: Int, _ directory: [UInt8], _ index: Int, _ state: inout State) {
        left -= 1
        guard left >= 0 else { return }
        let last = part == glob.parts.count - 1
        let watched = items[index].watched
        switch glob.parts[part] {
        case .anyDepth:
            // Of an `ignore` nothing can be told by inode: the kernel sends what lies there, and the name decides.
            if watched { want(&state, directory, HV_WATCH_TREE, index, refined: true, rank: 0) }
        case .literal(let name):
            let place = walk.follow(name, from: directory)
            guard let found = place.found else {
                if watched { want(&state, place.real, HV_WATCH_CHILDREN, index, refined: true, rank: 1, unwanted: last ? 0 : onlyNameChanges) }
                return
            }
            if watched && last { want(&state, directory, HV_WATCH_CHILDREN, index, refined: true, rank: 2) }
            step(glob, part, place, found, index, &state)
            if watched { note(place) }
        case .pattern:
            if watched { want(&state, directory, HV_WATCH_CHILDREN, index, refined: true, rank: 1, unwanted: last ? 0 : onlyNameChanges) }
            listed.set(directory, 1)
            for (name, type) in NameWalk.names(in: directory, atMost: left + 1) ?? [] {
                left -= 1
                guard left >= 0 else { return }
                guard glob.matches(part, name, 0, name.count) else { continue }
                // Single files are seen through their folder; only where they lie on the way, or are more, is it worth a look.
                if type != DT_DIR && type != DT_LNK && type != DT_UNKNOWN && !(last && !watched) { continue }
                let place = walk.follow(name, from: directory)
                if let found = place.found { step(glob, part, place, found, index, &state) }
            }
        }
    }

    private mutating func step(_ glob: Glob, _ part: Int, _ place: NameWalk.Place, _ found: FoundName, _ index: Int, _ state: inout State) {
        if part < glob.parts.count - 1 {
            if found.isDirectory { descend(glob, part + 1, place.real, index, &state) }
            return
        }
        if place.linked { state.aliases.append(.path(place.real)) }
        if found.isDirectory || place.linked || !items[index].watched { wantObject(&state, place.real, found, index, refined: false) }
    }
}
