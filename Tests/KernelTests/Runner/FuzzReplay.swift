import CActs

/// Replays the log of a fuzzer in a model, and compares what each operation must have caused with the events of its time.
struct FuzzReplay {
    /// An event that an operation causes.
    struct Expectation {
        var action: String
        var paths: [String]
        var certainty: Certainty
        var target: [String]?
        var numbers: [(String, Int)] = []
        var inode: UInt64?
        var open: Bool?
    }

    private var model = FuzzModel()
    private(set) var differences: [String] = []
    /// Where the file is that the operation's slot has open, or was last.
    private var described: [String]?
    private let folder: String
    /// Inode numbers of events are those of stat.
    private let knowsInodes: Bool

    init(folder: String, knowsInodes: Bool) {
        self.folder = folder
        self.knowsInodes = knowsInodes
    }

    var listing: Set<String> { model.listing() }

    /// One operation, with the events that happened between its begin and its end.
    mutating func step(_ number: Int, _ entry: acts_fuzz_entry, _ events: [Event]) {
        let operation = Operation(entry)
        do {
            if operation.error != 0 {
                // A refusal may be reported, as one.
                for event in events where event.outcome != "failure" {
                    differ(number, operation, "an event of what failed: \(Self.describe(event))")
                }
            } else {
                let slot = operation.usesSlot ? model.slots[operation.slot] : nil
                described = slot?.node.paths
                let expected = try apply(operation, handleWas: slot, events: events)
                if entry.before == 0 { compare(number, operation, expected, events) }
            }
            if entry.before != 0 { for handle in model.slots.indices { model.slots[handle]?.startOver() } }
        } catch {
            differ(number, operation, (error as? Failure)?.message ?? "\(error)")
        }
    }

    mutating func note(_ difference: String) { differences.append(difference) }

    private mutating func differ(_ number: Int, _ operation: Operation, _ what: String) {
        let names = operation.usesSlot ? described.map { " (\($0))" } ?? "" : ""
        differences.append("operation \(number), \(operation)\(names): \(what)")
    }

    static func describe(_ event: Event) -> String {
        let target = event.target.isEmpty ? "" : " to \(event.target)"
        return "\(event.action) of \(event.path)\(target) (\(event.outcome))"
    }

    private func absolute(_ paths: [String]) -> [String] { paths.map { folder + "/" + $0 } }

    private mutating func compare(_ number: Int, _ operation: Operation, _ expected: [Expectation], _ events: [Event]) {
        var rest = events
        for one in expected {
            let paths = absolute(one.paths), targets = one.target.map(absolute)
            let found = rest.firstIndex { event in
                guard event.action == one.action, event.outcome == "success" else { return false }
                if let open = one.open, event.flag("hypervigil.write.open") != open { return false }
                return true
            }
            guard let found else {
                let which = one.open.map { $0 ? " (first)" : " (totals)" } ?? ""
                if one.certainty == .surely { differ(number, operation, "no \(one.action)\(which) of \(one.paths)") }
                continue
            }
            let event = rest.remove(at: found)
            if one.certainty == .never { differ(number, operation, "not watched: \(Self.describe(event))") }
            if !paths.isEmpty, !paths.contains(event.path) {
                differ(number, operation, "\(Self.describe(event)), expected path \(paths)")
            }
            if let targets, !targets.contains(event.target) {
                differ(number, operation, "\(Self.describe(event)), expected target \(targets)")
            }
            for (name, value) in one.numbers where event.number(name) != value {
                differ(
                    number, operation,
                    "\(name) is \(event.number(name).map(String.init) ?? "absent"), expected \(value): \(Self.describe(event))")
            }
            if knowsInodes, let inode = one.inode, let seen = event.string("file.inode"), seen != "\(inode)" {
                differ(number, operation, "file.inode is \(seen), expected \(inode): \(Self.describe(event))")
            }
        }
        for event in rest { differ(number, operation, "not expected: \(Self.describe(event))") }
    }

    // MARK: The operations

    private mutating func apply(_ operation: Operation, handleWas: FuzzModel.Handle?, events: [Event]) throws -> [Expectation] {
        switch operation.kind {
        case ACTS_FUZZ_CREATE:
            let node = try model.add(operation.path, .file, inode: operation.inode)
            model.slots[operation.slot] = FuzzModel.Handle(node: node)
            return [named("create", operation.path, node, inode: operation.inode)]
        case ACTS_FUZZ_OPEN:
            model.slots[operation.slot] = FuzzModel.Handle(node: try model.existing(operation.path))
            return []
        case ACTS_FUZZ_OPEN_TRUNCATE:
            let node = try model.existing(operation.path)
            model.slots[operation.slot] = FuzzModel.Handle(node: node)
            return [resized(operation, node, model.certainty(node, through: operation.path), paths(operation.path, node))]
        case ACTS_FUZZ_TRUNCATE:
            let node = try model.existing(operation.path)
            return [resized(operation, node, model.certainty(node, through: operation.path), paths(operation.path, node))]
        case ACTS_FUZZ_TRUNCATE_HANDLE:
            let node = try handle(handleWas).node
            return [resized(operation, node, model.certainty(node), Self.handlePaths(node))]
        case ACTS_FUZZ_CLOSE: return [try closed(operation, handle(handleWas))]
        case ACTS_FUZZ_WRITE, ACTS_FUZZ_ALLOCATE, ACTS_FUZZ_COPY, ACTS_FUZZ_MAP:
            return try written(operation, handle(handleWas), events)
        case ACTS_FUZZ_LINK:
            let node = try model.existing(operation.path)
            try model.attach(node, operation.target)
            let seen = FuzzModel.watched(operation.path) || FuzzModel.watched(operation.target)
            let certainty: Certainty = seen ? .surely : model.certainty(node, through: operation.path) == .never ? .never : .maybe
            return [
                Expectation(action: "link", paths: [operation.path], certainty: certainty, target: [operation.target], inode: node.inode)
            ]
        case ACTS_FUZZ_UNLINK: return [try removed("delete", operation)]
        case ACTS_FUZZ_RMDIR: return [try removed("rmdir", operation)]
        case ACTS_FUZZ_MKDIR:
            return [named("mkdir", operation.path, try model.add(operation.path, .directory, inode: operation.inode))]
        case ACTS_FUZZ_SYMLINK:
            let node = try model.add(operation.path, .symlink, inode: operation.inode)
            return [named("symlink", operation.path, node)]
        case ACTS_FUZZ_RENAME, ACTS_FUZZ_EXCHANGE: return [try renamed(operation)]
        default:
            let node = try model.existing(operation.path)
            let actions = [
                ACTS_FUZZ_CHMOD: "chmod", ACTS_FUZZ_CHOWN: "chown", ACTS_FUZZ_UTIMES: "utimes", ACTS_FUZZ_SETXATTR: "setxattr",
                ACTS_FUZZ_REMOVEXATTR: "removexattr",
            ]
            return [
                Expectation(
                    action: actions[operation.kind] ?? "", paths: paths(operation.path, node),
                    certainty: model.certainty(node, through: operation.path),
                    inode: operation.inode)
            ]
        }
    }

    private func handle(_ handle: FuzzModel.Handle?) throws -> FuzzModel.Handle {
        guard let handle else { throw Failure("the model has no open handle there") }
        return handle
    }

    /// How an object may be called that was reached by a path: by that, or where it is not watched by another of its names.
    private func paths(_ path: String, _ node: Node) -> [String] {
        FuzzModel.watched(path) ? [path] : [path] + node.paths
    }

    /// How an object may be called that was reached through a handle; any name where the handle's own may be gone.
    private static func handlePaths(_ node: Node) -> [String] { node.wasLinked ? [] : node.paths }

    private func named(_ action: String, _ path: String, _ node: Node, inode: UInt64? = nil) -> Expectation {
        Expectation(action: action, paths: [path], certainty: FuzzModel.watched(path) ? .surely : .never, inode: inode)
    }

    private mutating func removed(_ action: String, _ operation: Operation) throws -> Expectation {
        let node = try model.existing(operation.path)
        // By a name that is not watched of an object that is by another.
        let certainty: Certainty =
            FuzzModel.watched(operation.path) ? .surely : model.certainty(node, through: operation.path) == .never ? .never : .maybe
        let inode = node.inode
        try model.remove(operation.path)
        return Expectation(action: action, paths: [operation.path], certainty: certainty, inode: inode)
    }

    private mutating func resized(_ operation: Operation, _ node: Node, _ certainty: Certainty, _ paths: [String]) -> Expectation {
        let same = node.size == operation.size
        node.size = operation.size
        return Expectation(
            action: "truncate", paths: paths, certainty: same && certainty == .surely ? .maybe : certainty,
            numbers: [("file.size", operation.size)], inode: node.inode)
    }

    private mutating func renamed(_ operation: Operation) throws -> Expectation {
        let exchange = operation.kind == ACTS_FUZZ_EXCHANGE
        let node = try model.existing(operation.path), victim = model.node(operation.target)
        let seen = FuzzModel.watched(operation.path) || FuzzModel.watched(operation.target)
        let elsewhere = [node, victim].contains { $0.map { model.certainty($0, through: "u/") != .never } ?? false }
        _ = try model.move(operation.path, operation.target, exchange: exchange)
        let certainty: Certainty = node === victim ? .maybe : seen ? .surely : elsewhere ? .maybe : .never
        return Expectation(action: "rename", paths: [operation.path], certainty: certainty, target: [operation.target], inode: node.inode)
    }

    private mutating func written(_ operation: Operation, _ was: FuzzModel.Handle, _ events: [Event]) throws -> [Expectation] {
        var handle = was
        let node = handle.node
        var certainty = model.certainty(node)
        let paths = Self.handlePaths(node)
        node.size = operation.size
        // Nothing to copy: nothing is changed.
        if operation.kind == ACTS_FUZZ_COPY, operation.value == 0, certainty == .surely { certainty = .maybe }
        let byStore = operation.kind == ACTS_FUZZ_MAP
        // A page that is dirty already is stored to without the kernel's help.
        let shown: Certainty = byStore && certainty == .surely ? .maybe : certainty
        var expected: [Expectation] = []
        if byStore { expected.append(Expectation(action: "mmap-write", paths: paths, certainty: certainty, inode: node.inode)) }
        let came = events.contains { $0.action == "write" && $0.flag("hypervigil.write.open") }
        if !handle.reported || (!handle.sure && came) {
            expected.append(Expectation(action: "write", paths: paths, certainty: shown, inode: node.inode, open: true))
        }
        // files.report_every is 30 s.
        if handle.reported, operation.begin > handle.reportedAt + 25_000_000_000 {
            expected.append(Expectation(action: "write", paths: paths, certainty: .maybe, inode: node.inode, open: true))
        }
        if came || shown == .surely { handle.reported = true }
        if came { handle.reportedAt = operation.begin }
        if shown != .surely { handle.sure = handle.sure && shown == .never }
        if byStore || operation.kind == ACTS_FUZZ_COPY || shown == .maybe { handle.operations = nil }
        if shown == .surely, let operations = handle.operations { handle.operations = operations + 1 }
        model.slots[operation.slot] = handle
        return expected
    }

    private mutating func closed(_ operation: Operation, _ handle: FuzzModel.Handle) throws -> Expectation {
        model.slots[operation.slot] = nil
        let node = handle.node
        let now = model.certainty(node)
        let certainty: Certainty = !handle.reported ? (handle.sure ? .never : .maybe) : handle.sure && now == .surely ? .surely : .maybe
        var expected = Expectation(action: "write", paths: Self.handlePaths(node), certainty: certainty, inode: node.inode, open: false)
        if let operations = handle.operations { expected.numbers = [("hypervigil.write.operations", operations)] }
        // The size of an object that others truncate meanwhile is still its own.
        if certainty == .surely { expected.numbers.append(("file.size", node.size)) }
        return expected
    }
}

extension FuzzModel.Handle {
    /// The monitor starts now: what was written before is not counted.
    fileprivate mutating func startOver() {
        operations = 0
        reported = false
        sure = true
    }
}
