import CActs

/// A file, directory or symbolic link of the model.
final class Node {
    enum Kind { case file, directory, symlink }

    let kind: Kind
    var inode: UInt64
    var size = 0
    /// Where it is: one place for a directory, any number for others.
    var names: [Name] = []
    /// Names that were removed, the latest last. A handle keeps the one that it was opened by, in a directory that may move yet.
    var lost: [(directory: Node, name: String)] = []
    var children: [String: Node] = [:]
    /// It had several names at a time.
    var wasLinked = false
    /// It had a watched one.
    var wasWatched = false
    /// One of several names moved with its directory over the border of the watch: only a scan of the tree can know.
    var uncertain = false

    init(_ kind: Kind, inode: UInt64) {
        self.kind = kind
        self.inode = inode
    }

    struct Name {
        unowned var directory: Node
        var name: String
    }

    /// Paths relative to the folder, of every name; of one without, where the last was.
    var paths: [String] {
        if names.isEmpty, let last = lost.last { return [last.directory.path(of: last.name)] }
        return names.map { $0.directory.path(of: $0.name) }
    }

    /// Where names were that are removed.
    var lostPaths: [String] { lost.map { $0.directory.path(of: $0.name) } }

    private func path(of name: String) -> String { paths.first.map { $0 + "/" + name } ?? name }
}

/// How surely an event has to come.
enum Certainty { case never, maybe, surely }

/// What is where, by what the log says was done: two trees, `w` watched and `u` not.
struct FuzzModel {
    let root = Node(.directory, inode: 0)
    /// Handles by slot.
    var slots = [Handle?](repeating: nil, count: Int(ACTS_FUZZ_SLOTS))

    struct Handle {
        var node: Node
        /// Writes since the monitor watches; nil where their number is not defined.
        var operations: Int? = 0
        /// The event of the first change came, or must have.
        var reported = false
        /// When it last came: a handle that stays open reports again.
        var reportedAt: UInt64 = 0
        /// All its writes so far had to be seen.
        var sure = true
    }

    init() {
        for name in ["w", "u"] {
            let tree = Node(.directory, inode: 0)
            tree.names = [Node.Name(directory: root, name: name)]
            root.children[name] = tree
        }
    }

    static func watched(_ path: String) -> Bool { path.hasPrefix("w/") }

    /// The node of a path; nil where there is none.
    func node(_ path: String) -> Node? {
        path.split(separator: "/").reduce(Optional(root)) { node, name in node?.children[String(name)] }
    }

    /// The directory a path's last name is in.
    private func parent(_ path: String) throws -> (Node, String) {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last, let directory = node(parts.dropLast().joined(separator: "/")), directory.kind == .directory else {
            throw Failure("the model has no directory for \(path)")
        }
        return (directory, name)
    }

    func existing(_ path: String) throws -> Node {
        guard let node = node(path) else { throw Failure("the model has no \(path)") }
        return node
    }

    mutating func add(_ path: String, _ kind: Node.Kind, inode: UInt64) throws -> Node {
        let node = Node(kind, inode: inode)
        try attach(node, path)
        return node
    }

    mutating func attach(_ node: Node, _ path: String) throws {
        let (directory, name) = try parent(path)
        guard directory.children[name] == nil else { throw Failure("the model has a \(path) already") }
        directory.children[name] = node
        node.names.append(Node.Name(directory: directory, name: name))
        if node.names.count > 1 { node.wasLinked = true }
        if Self.watched(path) { node.wasWatched = true }
    }

    mutating func remove(_ path: String) throws {
        let (directory, name) = try parent(path)
        try detach(path).lost.append((directory, name))
    }

    private mutating func detach(_ path: String) throws -> Node {
        let (directory, name) = try parent(path)
        guard let node = directory.children.removeValue(forKey: name) else { throw Failure("the model has no \(path)") }
        node.names.removeAll { $0.directory === directory && $0.name == name }
        return node
    }

    /// Moves what is at `path` to `target`: what was there before, if anything.
    mutating func move(_ path: String, _ target: String, exchange: Bool) throws -> Node? {
        let node = try existing(path), other = self.node(target)
        // Two names of one file: nothing happens.
        if node === other { return other }
        _ = try detach(path)
        if other != nil { exchange ? _ = try detach(target) : try remove(target) }
        try attach(node, target)
        if exchange, let other { try attach(other, path) }
        crossed(node, from: Self.watched(path), to: Self.watched(target))
        if exchange, let other { crossed(other, from: Self.watched(target), to: Self.watched(path)) }
        return other
    }

    /// Everything below a directory came or went with it.
    private func crossed(_ directory: Node, from: Bool, to: Bool) {
        for node in directory.children.values {
            if to || from { node.wasWatched = true }
            if from != to, node.names.count > 1 || node.wasLinked { node.uncertain = true }
            if node.kind == .directory { crossed(node, from: from, to: to) }
        }
    }

    /// Whether a change of the object itself through `path` has to be seen.
    func certainty(_ node: Node, through path: String) -> Certainty {
        if Self.watched(path) { return .surely }
        return elsewhere(node)
    }

    /// The same through a handle.
    func certainty(_ node: Node) -> Certainty {
        if node.wasLinked, node.names.isEmpty || node.uncertain { return node.wasWatched || wasLeft(node) ? .maybe : .never }
        if node.paths.allSatisfy(Self.watched) { return .surely }
        return elsewhere(node)
    }

    /// An object by a name that is not watched.
    private func elsewhere(_ node: Node) -> Certainty {
        if node.uncertain { return .maybe }
        if node.paths.contains(where: Self.watched) { return .surely }
        return node.wasLinked && (node.wasWatched || wasLeft(node)) ? .maybe : .never
    }

    /// Whether one of its handles may lie in what is watched now, by a name that is gone.
    private func wasLeft(_ node: Node) -> Bool { node.lostPaths.contains(where: Self.watched) }

    /// Every name with its type, inode, size and number of links, as a scan of the tree gives them.
    func listing() -> Set<String> {
        var lines: Set<String> = []
        func walk(_ directory: Node, _ prefix: String) {
            for (name, node) in directory.children {
                let path = prefix + name
                if node.kind == .directory {
                    if !prefix.isEmpty { lines.insert("directory \(path) \(node.inode)") }
                    walk(node, path + "/")
                } else {
                    let size = node.kind == .file ? node.size : 7
                    lines.insert("\(node.kind) \(path) \(node.inode) \(size) \(node.names.count)")
                }
            }
        }
        walk(root, "")
        return lines
    }
}
