internal import Events
internal import Filters
internal import KernelABI
internal import Probes
internal import Rings

/// What a record goes through between its ring and the sink.
///
/// A value of its own that is lent to a drain as a whole: each part as a property of the pipeline, which is a class, would
/// have its exclusive use checked at run time, several times a record.
struct RecordHandler: ~Copyable {
    var losses: LossTracker
    var joiner = Joiner()
    var output: EventOutput
    /// Events that were told as lost and came after all.
    var recovered: UInt64 = 0
    var malformed: UInt64 = 0
    /// CLOCK_BOOTTIME at the beginning of the drain, ns.
    var now: UInt64 = 0

    init(losses: LossTracker, sink: consuming EventSink, watch: WatchSet?, filter: consuming Filter?) {
        self.losses = losses
        output = EventOutput(sink: sink, watch: watch, filter: filter)
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
            if let canary, canary.takes(record) { return }
            output.emit(record)
        }
    }

    /// What has waited for its result since before `time` is told without it.
    mutating func expire(before time: UInt64) {
        guard !joiner.isEmpty else { return }
        output.refresh()
        joiner.expire(before: time) { output.emit(held: $0, $1) }
    }
}

/// Events on their way out: host paths, the filter, then the sink.
struct EventOutput: ~Copyable {
    var sink: EventSink
    private var resolver: PathResolver
    private let watch: WatchSet?
    private let filter: Filter?
    private(set) var events: UInt64 = 0
    /// Events that the filter left out.
    private var filteredEvents: UInt64 = 0

    /// The same; nil without a filter.
    var filtered: UInt64? { filter == nil ? nil : filteredEvents }

    init(sink: consuming EventSink, watch: WatchSet?, filter: consuming Filter?) {
        self.sink = sink
        self.watch = watch
        self.filter = filter
        resolver = PathResolver()
    }

    /// Call before a drain: wall-clock time may be stepped, and what is watched may have changed.
    mutating func refresh() {
        sink.refreshClock()
        if let watch { resolver.generation = watch.generation }
    }

    /// - Parameter known: of the operation's result, where that came in a record of its own.
    @inline(__always)
    mutating func emit(_ view: borrowing FileView, _ known: borrowing Resolution) {
        guard let watch else { return }
        // Also of what is filtered the watch set has to hear.
        _ = resolver.resolve(view, known, watch) { resolution in
            if let passes = filter?.passes(view, resolution), !passes {
                filteredEvents += 1
            } else if sink.write(view, resolution) {
                events += 1
            }
        }
    }

    /// The same of an attempt that was held: a file record.
    mutating func emit(held record: RawSpan, _ known: borrowing Resolution) {
        if let view = FileView(record) { emit(view, known) }
    }

    /// A record of another kind.
    mutating func emit(_ record: RawSpan) {
        if let view = ModuleView(record) {
            resolver.resolve(view) { resolution in
                if let passes = filter?.passes(record: record, resolution), !passes {
                    filteredEvents += 1
                } else if sink.write(record, resolution) {
                    events += 1
                }
            }
        } else if let passes = filter?.passes(record: record, Resolution()), !passes {
            filteredEvents += 1
        } else if sink.write(record, Resolution()) {
            events += 1
        }
    }
}
