internal import KernelABI
internal import Rings

/// Records to events: one JSON object a line, with the names of the Elastic Common Schema and this project's own below
/// `hypervigil`.
///
/// One encoder serves one thread. It allocates when it is made and not again; the writer grows with the largest event.
public struct ECSEncoder: ~Copyable {
    public let context: EncoderContext
    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, nanoseconds. The owner sets it anew when the clock is stepped.
    public var realtimeOffset: Int64 {
        // `process.start` is among an actor's parts.
        didSet { if realtimeOffset != oldValue { actors.forgetAll() } }
    }
    var times = TimestampWriter()
    var raw = RawFields()
    var actors: ActorCache
    let joined = JoinedPaths()
    private let constants: ConstantBytes

    public init(context: EncoderContext, realtimeOffset: Int64) {
        self.context = context
        self.realtimeOffset = realtimeOffset
        actors = ActorCache(entityIDBytes: context.entityID.count)
        constants = ConstantBytes(context.opening)
    }

    /// Encodes a record of any kind that makes an event.
    ///
    /// - Returns: false, and nothing is written, where the bytes are no whole record, of a kind or action that is not known,
    ///   or a result, which is no event of its own.
    @discardableResult
    public mutating func encode(record: RawSpan, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        guard let header = HeaderView(record) else { return false }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let view = ExecView(record) else { return false }
            return encode(view, resolution, into: &writer)
        case HV_KIND_FORK.rawValue:
            guard let view = ForkView(record) else { return false }
            return encode(view, resolution, into: &writer)
        case HV_KIND_EXIT.rawValue:
            guard let view = ExitView(record) else { return false }
            return encode(view, resolution, into: &writer)
        case HV_KIND_NAMESPACE.rawValue:
            guard let view = NamespaceView(record) else { return false }
            return encode(view, resolution, into: &writer)
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record) else { return false }
            return encode(view, resolution, into: &writer)
        case HV_KIND_MODULE.rawValue:
            guard let view = ModuleView(record) else { return false }
            return encode(view, resolution, into: &writer)
        default: return false
        }
    }

    /// The most that one event takes, whatever its bytes: a path is written as path, directory, name and extension at up to
    /// six bytes each for one, and once more in base64 for each; arguments as an array and as a line.
    @inline(__always)
    func bound(_ record: RawSpan, _ resolution: borrowing Resolution) -> Int {
        8192 &+ context.constantBytes &+ 40 &* (record.byteCount &+ resolution.path.count &+ resolution.targetPath.count)
            &+ (resolution.actor.map { encodedBound($0) } ?? 0)
    }

    /// The most that what is known of an actor takes, its bytes in base64 among them.
    @inline(__always)
    func encodedBound(_ facts: UnsafePointer<ActorFacts>) -> Int {
        1024 &+ (JSONString.expansion &+ 2) &* ActorFacts.byteCount(of: facts) &+ facts.pointee.ancestors.count &* (128 &+ context.entityID.count)
    }

    // MARK: Parts that events share

    /// From the brace to the end of `event`, and `error`.
    @inline(__always)
    mutating func begin(
        _ header: borrowing HeaderView, _ action: Action, _ outcome: Outcome, severity: UInt32, ordinal: UInt32, _ cursor: inout Cursor
    ) {
        raw.clear()
        cursor.put("{\"@timestamp\":\"")
        time(header.time, &cursor)
        constants.write(&cursor)
        cursor.put("r")
        cursor.small(UInt32(header.ring))
        cursor.put("c")
        cursor.small(UInt32(header.cpu))
        cursor.put("-")
        cursor.number(header.sequence)
        if ordinal > 0 {
            cursor.put("-")
            cursor.number(ordinal)
        }
        classify(action, outcome, severity: severity, &cursor)
    }

    /// Ends `event.id`, writes the rest of `event`, and `error`.
    @inline(__always)
    func classify(_ action: Action, _ outcome: Outcome?, severity: UInt32, _ cursor: inout Cursor) {
        cursor.put("\",")
        let classification = action.classification
        cursor.copy(classification.utf8Start, classification.utf8CodeUnitCount)
        switch outcome {
        case .success: cursor.put(",\"outcome\":\"success\",\"severity\":")
        case .failure: cursor.put(",\"outcome\":\"failure\",\"severity\":")
        case .unknown: cursor.put(",\"outcome\":\"unknown\",\"severity\":")
        case nil: cursor.put(",\"severity\":")
        }
        cursor.small(severity)
        cursor.put("}")
        if case .failure(let number) = outcome {
            cursor.put(",\"error\":{\"code\":\"")
            ErrnoNames.write(number, &cursor)
            cursor.put("\"}")
        }
    }

    /// CLOCK_BOOTTIME nanoseconds as a point in time.
    @inline(__always)
    mutating func time(_ boottime: UInt64, _ cursor: inout Cursor) {
        times.write(nanoseconds: Int64(truncatingIfNeeded: boottime) &+ realtimeOffset, &cursor)
    }

    /// The inside of a JSON string. Where bytes are replaced, the field's go into `hypervigil.raw` too.
    @inline(__always)
    mutating func string(_ bytes: UnsafeRawBufferPointer, _ field: RawField, _ cursor: inout Cursor) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        let (end, replaced) = JSONString.write(start, bytes.count, to: cursor.position)
        cursor.position = end
        if replaced { raw.note(field, bytes) }
    }

    /// The inside of a JSON string whose bytes `hypervigil.raw` does not have.
    func text(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        cursor.position = JSONString.write(start, bytes.count, to: cursor.position).end
    }

    @inline(__always)
    func entity(_ pid: UInt32, _ start: UInt64, _ cursor: inout Cursor) {
        cursor.copy(context.entityID)
        cursor.number(pid)
        cursor.put("-")
        cursor.number(start)
        cursor.put("\"")
    }

    /// `process`, left open.
    @inline(__always)
    func process(_ actor: ActorParts, _ cursor: inout Cursor) { cursor.copy(actor.start, actor.ends.process) }

    /// `process`, left open, without what it runs.
    @inline(__always)
    func identity(_ actor: ActorParts, _ cursor: inout Cursor) { cursor.copy(actor.start, actor.ends.identity) }

    /// The end of `process`, and `user` and `group`.
    @inline(__always)
    func user(_ actor: ActorParts, _ cursor: inout Cursor) {
        cursor.copy(actor.start + actor.ends.process, actor.ends.user &- actor.ends.process)
    }

    /// Those three, where nothing is to be told of the process beside.
    @inline(__always)
    func processAndUser(_ actor: ActorParts, _ cursor: inout Cursor) { cursor.copy(actor.start, actor.ends.user) }

    /// `hypervigil`, left open, and `hypervigil.process` in it, left open too.
    @inline(__always)
    mutating func own(
        _ header: borrowing HeaderView, _ actor: borrowing ActorView, _ parts: ActorParts,
        cgroup: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), _ cursor: inout Cursor
    ) {
        cursor.put(",\"hypervigil\":{\"monotonic\":")
        cursor.quoted(header.time)
        var from = parts.ends.user
        if cgroup.count > 0 {
            from = parts.ends.cgroup
            cursor.copy(parts.start + parts.ends.user, from &- parts.ends.user)
            cursor.put(",\"path\":\"")
            string(cgroup, .execCgroupPath, &cursor)
            cursor.put("\"")
        }
        cursor.copy(parts.start + from, parts.ends.rest &- from)
        if actor.taskFlags & TaskFlags.known != 0 { TaskFlags.write(actor.taskFlags, &cursor) }
    }

    /// `hypervigil.redacted` and `hypervigil.raw` where there is something, and the end of the line.
    @inline(__always)
    func finish(redacted: UInt32 = 0, _ cursor: inout Cursor) {
        if redacted > 0 {
            cursor.put(",\"redacted\":")
            cursor.number(redacted)
        }
        if !raw.isEmpty { raw.write(&cursor) }
        cursor.put("}}\n")
    }
}

/// Bytes of a view as a pointer. They lie in the record that the caller of `encode` lends for the call; no pointer is kept
/// beyond it.
@inline(__always)
package func borrowed(_ span: RawSpan) -> UnsafeRawBufferPointer { span.withUnsafeBytes { $0 } }

extension Cursor {
    /// Ends an object or array whose members each end with a comma.
    @inline(__always)
    private mutating func close(_ bracket: UInt8) {
        if (position - 1).load(as: UInt8.self) == UInt8(ascii: ",") { position -= 1 }
        put(bracket)
    }

    @inline(__always) mutating func closeObject() { close(UInt8(ascii: "}")) }
    @inline(__always) mutating func closeArray() { close(UInt8(ascii: "]")) }
}
