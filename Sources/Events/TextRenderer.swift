internal import Glibc
internal import KernelABI
internal import Rings

/// Records to lines for people: local time, action, user, process, and the object of the act. Nothing of a record reaches
/// the terminal as a control character.
public struct TextRenderer: ~Copyable {
    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, nanoseconds.
    public var realtimeOffset: Int64
    /// Columns of the terminal; nil: as many as it takes. Below 80 the object is still given room, and the line wraps.
    public var width: Int?
    let color: Bool
    private var clock = LocalClock()
    /// What is being put together for the last column, already printable.
    var object = ByteWriter(capacity: 4096)
    var second = ByteWriter(capacity: 4096)
    private var user = ByteWriter(capacity: 256)
    let joined = JoinedPaths()

    static let actionColumns = 14
    static let userColumns = 10
    static let processColumns = 24

    /// - Parameters:
    ///   - color: ANSI colours; only where the output is a terminal.
    public init(color: Bool, width: Int?, realtimeOffset: Int64) {
        self.color = color
        self.width = width
        self.realtimeOffset = realtimeOffset
    }

    /// Renders a record of any kind that makes an event.
    ///
    /// - Returns: false, and nothing is written, where `ECSEncoder.encode` would return false too.
    @discardableResult
    public mutating func render(record: RawSpan, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        guard let header = HeaderView(record) else { return false }
        object.clear()
        second.clear()
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let view = ExecView(record) else { return false }
            describe(view)
            line(header, view.actor, .exec, resolution.outcome ?? Outcome(error: view.error), resolution.actor, into: &writer)
        case HV_KIND_FORK.rawValue:
            guard let view = ForkView(record) else { return false }
            describe(view)
            line(header, view.actor, .fork, .success, resolution.actor, into: &writer)
        case HV_KIND_EXIT.rawValue:
            guard let view = ExitView(record) else { return false }
            describe(view)
            line(header, view.actor, .exit, .success, resolution.actor, into: &writer)
        case HV_KIND_NAMESPACE.rawValue:
            guard let view = NamespaceView(record) else { return false }
            describe(view)
            line(header, view.actor, .namespaceChange, Outcome(error: view.error), resolution.actor, into: &writer)
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record), let action = Action(fileAction: view.action) else { return false }
            let outcome = resolution.outcome ?? view.recordedOutcome
            describe(view, action, outcome, resolution)
            line(header, view.actor, action, outcome, resolution.actor, into: &writer)
        case HV_KIND_MODULE.rawValue:
            guard let view = ModuleView(record), let action = Action(moduleAction: view.action) else { return false }
            describe(view, action, resolution)
            line(header, view.actor, action, resolution.outcome ?? view.recordedOutcome, resolution.actor, into: &writer)
        default: return false
        }
        return true
    }

    public mutating func render(_ event: MonitorEvent, into writer: inout ByteWriter) {
        object.clear()
        second.clear()
        object.appendPrintable(event.message)
        var cursor = writer.reserve(1024 + object.count)
        begin(event.time, event.action, &cursor)
        cursor.pad(Self.userColumns + 1)
        cursor.put("hypervigil")
        cursor.pad(Self.processColumns - 10 + 1)
        write(object: room(event.action, outcome: 0), &cursor)
        cursor.put("\n")
        writer.commit(cursor)
    }

    // MARK: Columns

    private mutating func line(
        _ header: borrowing HeaderView, _ actor: borrowing ActorView, _ action: Action, _ outcome: Outcome, _ facts: UnsafePointer<ActorFacts>?,
        into writer: inout ByteWriter
    ) {
        user.clear()
        name(actor, facts)
        var cursor = writer.reserve(1024 + user.count + object.count + second.count)
        begin(header.time, action, &cursor)
        let used = user.withBytes { Columns.fit($0, Self.userColumns, &cursor) }
        cursor.pad(Self.userColumns - used + 1)

        let start = cursor.position
        Printable.write(borrowed(actor.name), &cursor)
        cursor.put("[")
        cursor.number(actor.pid)
        cursor.put("]")
        cursor.pad(Self.processColumns - Columns.count(UnsafeRawBufferPointer(start: start, count: cursor.position - start)) + 1)

        switch outcome {
        case .success:
            write(object: room(action, outcome: 0), &cursor)
        case .failure(let number):
            // No name is longer than EPROTONOSUPPORT.
            write(object: room(action, outcome: 16), &cursor)
            cursor.put("  ")
            style(red, &cursor)
            ErrnoNames.write(number, &cursor)
            style(plain, &cursor)
        case .unknown:
            write(object: room(action, outcome: 16), &cursor)
            if action != .moduleRequest { cursor.put("  result unknown") }
        }
        if let tenant = facts?.pointee.tenant { tenant._withUnsafeGuaranteedRef { Self.write($0, &cursor) } }
        cursor.put("\n")
        writer.commit(cursor)
    }

    /// Who acts: the person who logged in, and behind a slash the user that he is now, where that is another.
    private mutating func name(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>?) {
        if actor.loginUid != .max, actor.loginUid != actor.uid {
            name(facts?.pointee.loginUserName ?? ActorFacts.none, actor.loginUid)
            user.appendPrintable("/")
        }
        name(facts?.pointee.userName ?? ActorFacts.none, actor.uid)
    }

    private mutating func name(_ bytes: UnsafeRawBufferPointer, _ id: UInt32) {
        if bytes.count > 0 { user.appendPrintable(bytes) } else { user.appendPrintable(String(id)) }
    }

    private static func write(_ tenant: Tenant, _ cursor: inout Cursor) {
        cursor.put("  in ")
        for part in [tenant.engine, " ", tenant.name.isEmpty ? String(tenant.id.prefix(12)) : String(tenant.name.prefix(64))] {
            var part = part
            part.withUTF8 { Printable.write(UnsafeRawBufferPointer($0), &cursor) }
        }
    }

    /// Time and action, with the space behind them.
    private mutating func begin(_ boottime: UInt64, _ action: Action, _ cursor: inout Cursor) {
        style("\u{1b}[2m", &cursor)
        clock.write(nanoseconds: Int64(truncatingIfNeeded: boottime) &+ realtimeOffset, &cursor)
        style(plain, &cursor)
        cursor.put("  ")
        style(action.color, &cursor)
        cursor.copy(action.name.utf8Start, action.name.utf8CodeUnitCount)
        style(plain, &cursor)
        cursor.pad(Self.columns(action) - action.name.utf8CodeUnitCount + 1)
    }

    /// One name is longer than its column, and moves the rest of its line.
    private static func columns(_ action: Action) -> Int { max(actionColumns, action.name.utf8CodeUnitCount) }

    /// Columns left for the object.
    private func room(_ action: Action, outcome: Int) -> Int? {
        let before = LocalClock.columns + 2 + Self.columns(action) + 1 + Self.userColumns + 1 + Self.processColumns + 1
        return width.map { max($0 - before - outcome, 24) }
    }

    /// The object, or both of a rename with an arrow between them, shortened to fit.
    private func write(object columns: Int?, _ cursor: inout Cursor) {
        object.withBytes { first in
            second.withBytes { other in
                guard other.count > 0 else {
                    _ = Columns.fit(first, columns ?? .max, &cursor)
                    return
                }
                let room = columns.map { $0 - 4 }
                // The shorter one lends what it does not need.
                let half = room.map { $0 / 2 } ?? .max
                let firstRoom = room.map { max(half, $0 - Columns.count(other)) } ?? .max
                let used = Columns.fit(first, firstRoom, &cursor)
                cursor.put(" -> ")
                _ = Columns.fit(other, room.map { $0 - used } ?? .max, &cursor)
            }
        }
    }

    private var red: StaticString { "\u{1b}[31m" }
    private var plain: StaticString { "\u{1b}[0m" }

    @inline(__always)
    private func style(_ code: StaticString, _ cursor: inout Cursor) {
        if color { cursor.copy(code.utf8Start, code.utf8CodeUnitCount) }
    }

    // MARK: Objects

    private mutating func describe(_ view: borrowing ExecView) {
        let header = view.header
        let fileless = header.has(HV_EXEC_FILELESS | HV_EXEC_SCRIPT_FILELESS)
        if fileless { object.appendPrintable("[fileless] ") }
        let arguments = borrowed(view.arguments)
        guard arguments.count > 0 else {
            object.appendPrintable(borrowed(view.filename))
            return
        }
        // Two quotes and a space for an argument that is empty.
        var cursor = object.reserve((Printable.expansion + 3) * arguments.count)
        Printable.writeArguments(arguments, &cursor)
        object.commit(cursor)
        if header.has(HV_EXEC_ARGS_TRUNCATED) { object.appendPrintable(" ...") }
    }

    private mutating func describe(_ view: borrowing ForkView) {
        object.appendPrintable("by ")
        object.appendPrintable(borrowed(view.actor.parentName))
        object.appendPrintable("[\(view.actor.parentPid)]")
    }

    private mutating func describe(_ view: borrowing NamespaceView) {
        object.appendPrintable(view.call == HV_NAMESPACE_SETNS.rawValue ? "joins" : "leaves its")
        let names = NamespaceSet(cloneFlags: view.asked).names
        object.appendPrintable(names.isEmpty ? " a namespace" : " " + names.joined(separator: ", "))
    }

    private mutating func describe(_ view: borrowing ExitView) {
        if view.signal == 0 {
            object.appendPrintable("code \(view.code)")
            return
        }
        object.appendPrintable("killed by ")
        if let name = SignalNames.name(view.signal) {
            object.appendPrintable(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        } else {
            object.appendPrintable("signal \(view.signal)")
        }
        if view.dumpedCore { object.appendPrintable(", core dumped") }
    }

    private mutating func describe(_ view: borrowing ModuleView, _ action: Action, _ resolution: borrowing Resolution) {
        object.appendPrintable(borrowed(view.name))
        guard action == .moduleLoad else { return }
        let arguments = borrowed(view.arguments)
        if arguments.count > 0 {
            object.appendPrintable(" ")
            object.appendPrintable(arguments)
        }
        if view.source == HV_MODULE_SOURCE_FILE.rawValue {
            object.appendPrintable(" from ")
            object.appendPath(joined.path(view, resolution))
        } else if view.source == HV_MODULE_SOURCE_MEMORY.rawValue {
            object.appendPrintable(" from memory")
            let hint = borrowed(view.hint)
            if hint.count > 0 {
                object.appendPrintable(", perhaps ")
                object.appendPrintable(hint)
            }
        }
    }
}

extension Action {
    /// Of its name on a terminal.
    fileprivate var color: StaticString {
        switch self {
        case .exec: "\u{1b}[32m"
        case .namespaceChange: "\u{1b}[35m"
        case .fork, .exit: "\u{1b}[2m"
        case .create, .write, .truncate, .rename, .delete, .link, .symlink, .mkdir, .rmdir, .mknod, .chmod, .chown, .utimes, .setxattr,
            .removexattr, .setflags, .mmapWrite, .mount, .umount:
            "\u{1b}[33m"
        case .moduleLoad, .moduleUnload, .moduleRequest, .kernelParameter: "\u{1b}[35m"
        case .start, .stop: "\u{1b}[36m"
        case .lost, .degraded: "\u{1b}[31m"
        }
    }
}

extension Cursor {
    fileprivate mutating func pad(_ columns: Int) {
        var left = columns
        while left > 0 {
            put(UInt8(ascii: " "))
            left -= 1
        }
    }
}

extension ByteWriter {
    mutating func appendPrintable(_ bytes: UnsafeRawBufferPointer) {
        var cursor = reserve(Printable.expansion * bytes.count)
        Printable.write(bytes, &cursor)
        commit(cursor)
    }

    fileprivate mutating func appendPrintable(_ text: String) {
        var copy = text
        copy.withUTF8 { appendPrintable(UnsafeRawBufferPointer($0)) }
    }

    /// A path, with what is to be said of it.
    mutating func appendPath(_ path: DescribedPath) {
        if path.flags.contains(.truncated) { appendPrintable(".../") }
        appendPrintable(path.bytes)
        if path.flags.contains(.deleted) { appendPrintable(" (deleted)") }
    }
}

/// The time of day where this machine is.
struct LocalClock {
    static let columns = 12
    private var cachedSecond: Int64?
    private var time = tm()

    /// `hh:mm:ss.mmm`
    mutating func write(nanoseconds: Int64, _ cursor: inout Cursor) {
        var second = nanoseconds / 1_000_000_000
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            second -= 1
            rest += 1_000_000_000
        }
        if second != cachedSecond {
            var seconds = time_t(second)
            localtime_r(&seconds, &time)
            cachedSecond = second
        }
        pair(time.tm_hour, &cursor)
        cursor.put(":")
        pair(time.tm_min, &cursor)
        cursor.put(":")
        pair(time.tm_sec, &cursor)
        cursor.put(".")
        let milliseconds = UInt64(rest / 1_000_000)
        cursor.put(UInt8(ascii: "0") + UInt8(milliseconds / 100))
        Decimal.pair(milliseconds % 100, to: cursor.position)
        cursor.position += 2
    }

    private func pair(_ value: Int32, _ cursor: inout Cursor) {
        Decimal.pair(UInt64(min(max(value, 0), 99)), to: cursor.position)
        cursor.position += 2
    }
}
