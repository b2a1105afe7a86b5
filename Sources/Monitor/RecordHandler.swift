internal import Events
internal import KernelABI
internal import Probes
internal import Redaction
internal import Rings

/// What a record goes through between its ring and the sink.
///
/// A value of its own that is lent to a drain as a whole: each part as a property of the pipeline, which is a class, would
/// have its exclusive use checked at run time, several times a record.
struct RecordHandler: ~Copyable {
    var losses: LossTracker
    var joiner = Joiner()
    var output: EventOutput
    private let redactor: Redactor?
    var scratch: RedactionScratch
    /// Events that were told as lost and came after all.
    var recovered: UInt64 = 0
    var malformed: UInt64 = 0
    /// CLOCK_BOOTTIME at the beginning of the drain, ns.
    var now: UInt64 = 0 {
        didSet { output.begin(at: now) }
    }

    init(losses: LossTracker, output: consuming EventOutput, redactor: Redactor?) {
        self.losses = losses
        self.output = output
        self.redactor = redactor
        scratch = RedactionScratch(redactor)
    }

    /// - Parameter canary: whose events are taken out.
    @inline(__always)
    mutating func handle(_ record: RawSpan, ring: Int, canary: Canary?) {
        guard let header = HeaderView(record) else { return }
        switch losses.observe(ring: ring, cpu: Int(header.cpu), sequence: header.sequence, time: header.time, now: now) {
        case .duplicate, .implausible:
            malformed += 1
            return
        case .recovered: recovered += 1
        case .inOrder, .afterGap, .late: break
        }
        switch UInt32(header.kind) {
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record) else { return }
            if let canary, canary.takes(view) { return }
            if header.has(HV_FILE_PENDING), joiner.hold(.init(operation: view.operation, thread: view.actor.tid), record, now: now) { return }
            output.emit(view, Resolution())
        case HV_KIND_RESULT.rawValue:
            guard let result = ResultView(record) else { return }
            joiner.complete(result) { output.emit(held: $0, $1) }
        default:
            // Secrets are masked before anything else looks at it.
            let masked = redactor?.redact(record, into: &scratch) ?? 0
            if masked == 0 {
                Self.handle(record, UInt32(header.kind), &output, canary)
            } else {
                Self.handle(masked: scratch, UInt32(header.kind), &output, canary, redacted: masked)
            }
        }
    }

    private static func handle(
        masked scratch: borrowing RedactionScratch, _ kind: UInt32, _ output: inout EventOutput, _ canary: Canary?, redacted: UInt32
    ) {
        handle(scratch.bytes, kind, &output, canary, redacted: redacted)
    }

    @inline(__always)
    private static func handle(_ record: RawSpan, _ kind: UInt32, _ output: inout EventOutput, _ canary: Canary?, redacted: UInt32 = 0) {
        output.observe(record, kind: kind)
        if let canary, canary.takes(record) { return }
        if output.shows(kind) { output.emit(record, redacted: redacted) }
    }

    /// What has waited for its result since before `time` is told without it.
    mutating func expire(before time: UInt64) {
        guard !joiner.isEmpty else { return }
        output.refresh()
        joiner.expire(before: time) { output.emit(held: $0, $1) }
    }
}
