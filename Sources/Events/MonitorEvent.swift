internal import KernelABI

/// Something that happened to the monitor itself, told in the stream like any other event.
public struct MonitorEvent: Sendable {
    public enum Detail: Sendable {
        /// Capture begins. `message` says what is captured and how.
        case start(message: String)
        /// Capture ends. `message` says why. `filtered`: what a filter left out; nil where there is none.
        case stop(message: String, events: UInt64, lost: UInt64, filtered: UInt64? = nil)
        case lost(Loss)
        /// Something that was promised can't be shown: `subject` names it (a hook, a ring), `reason` says why.
        case degraded(subject: String, reason: String)
    }

    /// CLOCK_BOOTTIME, nanoseconds.
    public var time: UInt64
    /// Number among the events made in user space in this run, from 0.
    public var sequence: UInt64
    public var detail: Detail

    public init(time: UInt64, sequence: UInt64, detail: Detail) {
        self.time = time
        self.sequence = sequence
        self.detail = detail
    }

    public var action: Action {
        switch detail {
        case .start: .start
        case .stop: .stop
        case .lost: .lost
        case .degraded: .degraded
        }
    }
}

/// Events that were produced and did not arrive.
public struct Loss: Sendable {
    /// How many; nil: it can't be known.
    public var count: UInt64?
    /// Where, so far as it is one.
    public var cpu: UInt32?
    public var ring: UInt32?
    /// Between which two times: CLOCK_BOOTTIME, nanoseconds.
    public var from: UInt64
    public var to: UInt64
    /// Of which kinds, so far as known.
    public var kinds: RecordKinds
    /// Whose cgroup caused them, where they were suppressed for that.
    public var cgroup: UInt64?
    /// How: the ring was full, the kernel skipped a program, ...
    public var reason: String

    public init(count: UInt64?, cpu: UInt32?, ring: UInt32?, from: UInt64, to: UInt64, kinds: RecordKinds, cgroup: UInt64? = nil, reason: String) {
        self.count = count
        self.cpu = cpu
        self.ring = ring
        self.from = from
        self.to = to
        self.kinds = kinds
        self.cgroup = cgroup
        self.reason = reason
    }
}

/// Kinds of record, bit n is the `hv_kind` n.
public struct RecordKinds: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// None for a kind that is not known.
    public init(kind: UInt32) { rawValue = kind < 31 ? 1 << kind : 0 }

    /// Beside their kind: the kernel side suppressed them (`limits.tenant_rate`).
    public static let throttled = RecordKinds(rawValue: 1 << 31)

    static var names: [(RecordKinds, StaticString)] {
        [
            (Self(kind: HV_KIND_EXEC.rawValue), "exec"), (Self(kind: HV_KIND_FORK.rawValue), "fork"),
            (Self(kind: HV_KIND_EXIT.rawValue), "exit"), (Self(kind: HV_KIND_FILE.rawValue), "file"),
            (Self(kind: HV_KIND_RESULT.rawValue), "result"), (Self(kind: HV_KIND_MODULE.rawValue), "module"),
            (Self(kind: HV_KIND_CGROUP.rawValue), "cgroup"), (Self(kind: HV_KIND_NAMESPACE.rawValue), "namespace"),
            (.throttled, "throttled"),
        ]
    }
}

extension ECSEncoder {
    /// Rare: it may allocate.
    public mutating func encode(_ event: MonitorEvent, into writer: inout ByteWriter) {
        var cursor = writer.reserve(8192 + context.constantBytes + JSONString.expansion * 2 * event.textBytes)
        raw.clear()
        cursor.put("{\"@timestamp\":\"")
        time(event.time, &cursor)
        cursor.copy(context.opening)
        cursor.put("u-")
        cursor.number(event.sequence)
        let outcome: Outcome? =
            switch event.detail {
            case .start, .stop: .success
            case .lost, .degraded: nil
            }
        classify(event.action, outcome, severity: event.action.severity, &cursor)
        cursor.put(",\"message\":\"")
        event.message.write(to: &cursor)
        cursor.put("\",\"hypervigil\":{\"monotonic\":")
        cursor.quoted(event.time)
        switch event.detail {
        case .start: break
        case .stop(_, let events, let lost, let filtered):
            cursor.put(",\"monitor\":{\"events\":")
            cursor.long(events)
            cursor.put(",\"lost\":")
            cursor.long(lost)
            if let filtered {
                cursor.put(",\"filtered\":")
                cursor.long(filtered)
            }
            cursor.put("}")
        case .lost(let loss): write(loss, &cursor)
        case .degraded(let subject, let reason):
            cursor.put(",\"degraded\":{\"subject\":\"")
            subject.write(to: &cursor)
            cursor.put("\",\"reason\":\"")
            reason.write(to: &cursor)
            cursor.put("\"}")
        }
        finish(&cursor)
        writer.commit(cursor)
    }

    private mutating func write(_ loss: Loss, _ cursor: inout Cursor) {
        cursor.put(",\"lost\":{")
        if let count = loss.count {
            cursor.put("\"count\":")
            cursor.long(count)
            cursor.put(",")
        }
        if let cpu = loss.cpu {
            cursor.put("\"cpu\":")
            cursor.number(cpu)
            cursor.put(",")
        }
        if let ring = loss.ring {
            cursor.put("\"ring\":")
            cursor.number(ring)
            cursor.put(",")
        }
        cursor.put("\"from\":\"")
        time(loss.from, &cursor)
        cursor.put("\",\"to\":\"")
        time(loss.to, &cursor)
        cursor.put("\",\"kinds\":[")
        for (kind, name) in RecordKinds.names where loss.kinds.contains(kind) {
            cursor.put("\"")
            cursor.copy(name.utf8Start, name.utf8CodeUnitCount)
            cursor.put("\",")
        }
        cursor.closeArray()
        if let cgroup = loss.cgroup {
            cursor.put(",\"cgroup\":{\"id\":")
            cursor.quoted(cgroup)
            cursor.put("}")
        }
        cursor.put(",\"reason\":\"")
        loss.reason.write(to: &cursor)
        cursor.put("\"}")
    }
}

extension MonitorEvent {
    /// `message`: the event in words.
    var message: String {
        switch detail {
        case .start(let message), .stop(let message, _, _, _): message
        case .degraded(let subject, let reason): "\(subject): \(reason)"
        case .lost(let loss):
            "\(loss.count.map(String.init) ?? "an unknown number of") \(loss.count == 1 ? "event" : "events") lost: \(loss.reason)"
        }
    }

    /// Bytes of the strings, those of the message included.
    fileprivate var textBytes: Int { 2 * message.utf8.count + 64 }
}

extension String {
    /// As the inside of a JSON string.
    fileprivate func write(to cursor: inout Cursor) {
        var copy = self
        copy.withUTF8 { bytes in
            if let start = bytes.baseAddress { cursor.position = JSONString.write(start, bytes.count, to: cursor.position).end }
        }
    }
}
