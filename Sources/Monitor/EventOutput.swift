internal import Attribution
internal import Events
internal import Filters
internal import KernelABI
internal import Probes
internal import Rings

/// Events on their way out: what is known of their actors, host paths, the filter, then the sink.
struct EventOutput: ~Copyable {
    var sink: EventSink
    var attributor: Attributor?
    private var held = HeldEvents()
    private var resolver: PathResolver
    private let watch: WatchSet?
    /// Kinds that become events; the others are only looked at.
    private let shown: RecordKinds
    /// How long an event may wait for what is to be found out of its actor, ns.
    private let wait: UInt64
    /// CLOCK_BOOTTIME at the beginning of the drain, ns.
    private var now: UInt64 = 0
    private(set) var events: UInt64 = 0
    private let filter: Filter?
    /// Events that the filter left out.
    private var filteredEvents: UInt64 = 0

    /// The same; nil without a filter.
    var filtered: UInt64? { filter == nil ? nil : filteredEvents }

    init(
        sink: consuming EventSink, watch: WatchSet?, attributor: consuming Attributor?, shown: RecordKinds, wait: UInt64, filter: consuming Filter?
    ) {
        self.filter = filter
        self.sink = sink
        self.watch = watch
        self.attributor = attributor
        self.shown = shown
        self.wait = wait
        resolver = PathResolver()
    }

    /// Call before a drain: wall-clock time may be stepped, and what is watched may have changed.
    mutating func refresh() {
        sink.refreshClock()
        attributor?.realtimeOffset = sink.realtimeOffset
        if let watch { resolver.generation = watch.generation }
    }

    /// The time of a drain, ns: what was found out by then is taken in.
    mutating func begin(at time: UInt64) {
        now = time
        attributor?.collect(now: time)
    }

    @inline(__always)
    func shows(_ kind: UInt32) -> Bool { shown.contains(RecordKinds(kind: kind)) }

    /// What a record tells of processes, before it is an event.
    @inline(__always)
    mutating func observe(_ record: RawSpan, kind: UInt32) { attributor?.observe(record, kind: kind) }

    // MARK: events

    /// - Parameter known: of the operation's result, where that came in a record of its own.
    @inline(__always)
    mutating func emit(_ view: borrowing FileView, _ known: borrowing Resolution) {
        var known = copy known
        known.actor = facts(of: view.actor, view.header)
        if waits(known) { hold(view.bytes, known) } else { write(view, known) }
    }

    /// The same of an attempt that was held: a file record.
    mutating func emit(held record: RawSpan, _ known: borrowing Resolution) {
        if let view = FileView(record) { emit(view, known) }
    }

    /// A record of another kind, which is shown.
    ///
    /// - Parameter redacted: values that were masked in it.
    @inline(__always)
    mutating func emit(_ record: RawSpan, redacted: UInt32) {
        var known = Resolution()
        known.redacted = redacted
        known.actor = facts(of: record)
        if waits(known) || wait > 0 && isHashPending(record) { hold(record, known) } else { write(record, known) }
    }

    /// Of a module's file. Loads are rare: its path is resolved again when the event goes out.
    private mutating func isHashPending(_ record: RawSpan) -> Bool {
        guard let view = ModuleView(record) else { return false }
        var isPending = false
        resolver.resolve(view, Resolution()) { isPending = attributor?.hash(of: record, hostPath: $0.path).isPending ?? false }
        return isPending
    }

    @inline(__always)
    private mutating func facts(of actor: borrowing ActorView, _ header: borrowing HeaderView) -> UnsafePointer<ActorFacts>? {
        let time = header.time
        return attributor?.facts(of: actor, at: time)
    }

    @inline(__always)
    private mutating func facts(of record: RawSpan) -> UnsafePointer<ActorFacts>? {
        guard let header = HeaderView(record), let actor = ActorView(record) else { return nil }
        return facts(of: actor, header)
    }

    @inline(__always)
    private mutating func write(_ view: borrowing FileView, _ known: borrowing Resolution) {
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

    private mutating func write(_ record: RawSpan, _ known: borrowing Resolution) {
        if let view = FileView(record) {
            write(view, known)
        } else if let view = ModuleView(record) {
            write(view, known)
        } else if let passes = filter?.passes(record: record, known), !passes {
            filteredEvents += 1
        } else if sink.write(record, known) {
            events += 1
        }
    }

    private mutating func write(_ view: borrowing ModuleView, _ known: borrowing Resolution) {
        let record = view.bytes
        resolver.resolve(view, known) {
            var known = copy $0
            if let hash = attributor?.hash(of: record, hostPath: known.path) {
                known.fileHash = hash.hash
                known.fileHashFailure = hash.failure
            }
            if let passes = filter?.passes(record: record, known), !passes {
                filteredEvents += 1
            } else if sink.write(record, known) {
                events += 1
            }
        }
    }

    // MARK: waiting

    var isHolding: Bool { !held.isEmpty }

    @inline(__always)
    private func waits(_ known: borrowing Resolution) -> Bool {
        if isHolding { return true }
        guard wait > 0, let actor = known.actor else { return false }
        return actor.pointee.isPending
    }

    @inline(never)
    private mutating func hold(_ record: RawSpan, _ known: borrowing Resolution) {
        while !held.hold(record, known, until: now + wait) {
            guard isHolding else { return write(record, known) }
            releaseFirst(force: true)
        }
    }

    /// Lets those go whose actors are known by now, and those that have waited for long enough.
    ///
    /// - Parameter all: whatever is missing.
    mutating func release(all: Bool) {
        while isHolding, releaseFirst(force: all) {}
    }

    /// - Returns: whether it went.
    @discardableResult
    private mutating func releaseFirst(force: Bool) -> Bool {
        guard let first = held.firstHeld else { return false }
        var known = first.known.pointee
        known.actor = facts(of: first.record.bytes)
        guard force || first.deadline <= now || known.actor?.pointee.isPending != true && !isHashPending(first.record.bytes) else { return false }
        write(first.record.bytes, known)
        held.removeFirst()
        return true
    }
}
