public import KernelABI

/// What one ordered drain over all rings did. Bytes are bytes of the rings: payload, header and padding.
public struct OrderedDrainSummary: Sendable {
    /// Records handed out.
    public var records = 0
    public var bytes = 0
    /// Records that their writers gave up.
    public var discarded = 0
    /// Records shorter than `hv_header`, or whose `size` is not the ring's length; skipped.
    public var malformed = 0
    /// Bytes that corrupt ring headers made unreadable, and how often that happened.
    public var corruptBytes = 0
    public var corruptions = 0
    /// A budget ended this drain: call again at once.
    public var moreWork = false
    /// Bit i: the head of ring i is reserved and not committed.
    public var busyRings: UInt32 = 0
    /// For how many nanoseconds the longest of them has been seen so.
    public var busyFor: UInt64 = 0

    @inlinable public init() {}
}

/// How much one ordered drain takes from each ring.
public struct DrainBudget: Sendable {
    public var records: Int
    public var bytes: Int

    /// - Parameters:
    ///   - records: at least 1; never more than the drain was made for.
    ///   - bytes: never more than a quarter of the ring, so that its writers have room while the records are worked on;
    ///     one record is taken however long it is.
    public init(records: Int = .max, bytes: Int = .max) {
        self.records = max(1, records)
        self.bytes = max(1, bytes)
    }
}

/// The one consumer of several rings: hands out their records in order of time.
///
/// Records of different CPUs reach a ring, and different rings, a little out of order. What is younger than the window
/// stays in its ring; so as long as every record is committed within the window after its `hv_header.time`, the order
/// of time holds over all rings and all calls. A record that comes later than that is handed out when it comes.
///
/// Nothing is copied: a drain notes where the records lie, sorts the notes and gives the rings' room back when the body
/// has seen them all. Nothing is allocated after the initialiser.
public struct OrderedDrain: ~Copyable {
    /// Where a record lies, and the time that it is sorted by.
    @usableFromInline struct Note {
        @usableFromInline var time: UInt64
        @usableFromInline var mark: UInt
        @usableFromInline var byteCount: Int
        @inlinable init(time: UInt64, mark: UInt, byteCount: Int) {
            self.time = time
            self.mark = mark
            self.byteCount = byteCount
        }
    }

    /// What a drain knows of one ring.
    @usableFromInline struct Run {
        /// First note that was not handed out, and the one behind the last.
        @usableFromInline var next = 0
        @usableFromInline var end = 0
        /// Where the ring was when the drain began, and up to where it is given back.
        @usableFromInline var start: UInt = 0
        @usableFromInline var mark: UInt = 0
        /// The latest time in the run.
        @usableFromInline var newest: UInt64 = 0
        /// What was reserved before this time is in the run or was handed out before.
        @usableFromInline var reached: UInt64 = 0
        /// More can be taken at once.
        @usableFromInline var cut = false
        @usableFromInline var discarded = 0
        @usableFromInline var malformed = 0
        @usableFromInline var corruptions = 0
        @usableFromInline var corruptBytes = 0
        /// The highest `reached` of all drains.
        @usableFromInline var drainedTo: UInt64 = 0
        @inlinable init() {}
    }

    /// A time this far ahead of now is no time: such a record is not waited for.
    @usableFromInline static let farAhead: UInt64 = 10_000_000_000

    @usableFromInline let readers: UnsafeMutablePointer<RingReader>
    @usableFromInline let runs: UnsafeMutablePointer<Run>
    @usableFromInline let notes: UnsafeMutablePointer<Note>
    @usableFromInline let recordsPerRing: Int
    public let ringsMax: Int
    public private(set) var ringCount = 0

    /// - Parameters:
    ///   - rings: how many rings can be added.
    ///   - recordsPerRing: records that one drain takes from a ring at most; 24 bytes of memory each.
    public init(rings: Int = Int(HV_RINGS_MAX), recordsPerRing: Int = 4096) {
        precondition(rings > 0 && rings <= 32 && recordsPerRing > 0, "1 to 32 rings, at least one record")
        ringsMax = rings
        self.recordsPerRing = recordsPerRing
        readers = .allocate(capacity: rings)
        runs = .allocate(capacity: rings)
        runs.initialize(repeating: Run(), count: rings)
        notes = .allocate(capacity: rings * recordsPerRing)
    }

    deinit {
        readers.deinitialize(count: ringCount)
        readers.deallocate()
        runs.deallocate()
        notes.deallocate()
    }

    /// Adds a ring; its index is the number of those added before.
    public mutating func add(_ reader: consuming RingReader) {
        precondition(ringCount < ringsMax, "no more rings than the initialiser was told")
        (readers + ringCount).initialize(to: reader)
        ringCount += 1
    }

    /// Bytes that wait in the ring.
    public func fill(ring: Int) -> Int {
        precondition(ring < ringCount)
        return readers[ring].fill
    }

    /// Bytes of the ring's data area.
    public func size(ring: Int) -> Int {
        precondition(ring < ringCount)
        return readers[ring].size
    }

    /// The time (CLOCK_BOOTTIME, ns) up to which the ring is drained: every record that was reserved in it before then
    /// has been handed out. It stands still while the ring's head is busy.
    public func drainedTo(ring: Int) -> UInt64 {
        precondition(ring < ringCount)
        return runs[ring].drainedTo
    }

    /// Hands out the records of all rings that are older than the window, by time.
    /// - Parameters:
    ///   - now: CLOCK_BOOTTIME in ns, read before the call.
    ///   - window: ns that a record waits for others that are earlier.
    ///   - budget: what is taken from each ring.
    ///   - flush: take everything, whatever its age; at the end.
    ///   - body: gets the payload, at least as long as `hv_header` and as long as its `size` says, and the index of
    ///     the ring. The bytes are valid during its call only.
    @inlinable
    public mutating func drain(
        now: UInt64, window: UInt64, budget: DrainBudget = DrainBudget(), flush: Bool = false,
        _ body: (RawSpan, Int) -> Void
    ) -> OrderedDrainSummary {
        var summary = OrderedDrainSummary()
        prepare(now: now, cutoff: flush ? .max : now > window ? now - window : 0, budget: budget, &summary)
        if ringCount == 1 {
            handOut(ring: 0, through: .max, body)
        } else {
            // From the ring with the earliest record as long as no other ring has an earlier one.
            while let (ring, limit) = earliest() { handOut(ring: ring, through: limit, body) }
        }
        finish(now: now, &summary)
        return summary
    }

    @inlinable @inline(__always)
    func handOut(ring: Int, through limit: UInt64, _ body: (RawSpan, Int) -> Void) {
        var next = runs[ring].next
        let end = runs[ring].end
        while next < end && notes[next].time <= limit {
            let note = notes[next]
            body(RawSpan(_unsafeStart: readers[ring].payload(at: note.mark), byteCount: note.byteCount), ring)
            next += 1
        }
        runs[ring].next = next
    }

    /// The ring whose next record is the earliest, and the time of the next record of any other ring.
    @usableFromInline
    func earliest() -> (ring: Int, through: UInt64)? {
        var first = -1
        var time = UInt64.max
        var other = UInt64.max
        for ring in 0..<ringCount where runs[ring].next < runs[ring].end {
            let next = notes[runs[ring].next].time
            if first < 0 || next < time {
                if first >= 0 { other = time }
                first = ring
                time = next
            } else if next < other {
                other = next
            }
        }
        return first < 0 ? nil : (first, other)
    }

    /// Notes what can be handed out, each ring's notes in order of time.
    @usableFromInline
    mutating func prepare(now: UInt64, cutoff: UInt64, budget: DrainBudget, _ summary: inout OrderedDrainSummary) {
        // Where a budget ends a ring's run, no other ring goes beyond that run's newest record.
        var bound = cutoff
        for ring in 0..<ringCount {
            index(ring: ring, now: now, cutoff: bound, budget: budget)
            if runs[ring].cut { bound = min(bound, runs[ring].newest) }
        }
        for ring in 0..<ringCount {
            // What lies before a corrupt header can't be left: the reader has gone on behind it.
            if runs[ring].newest > bound && runs[ring].corruptions == 0 { shorten(ring: ring, to: bound) }
            sort(ring: ring)
            let run = runs[ring]
            if run.cut { summary.moreWork = true }
            summary.records &+= run.end &- run.next
            summary.discarded &+= run.discarded
            summary.malformed &+= run.malformed
            summary.corruptions &+= run.corruptions
            summary.corruptBytes &+= run.corruptBytes
        }
    }

    /// Notes the records of one ring up to the first one that is newer than the cutoff, or busy, or beyond the budget.
    private mutating func index(ring: Int, now: UInt64, cutoff: UInt64, budget: DrainBudget) {
        let records = min(budget.records, recordsPerRing)
        let bytes = UInt(min(budget.bytes, max(1, readers[ring].size / 4)))
        let latest = now > .max - Self.farAhead ? .max : now + Self.farAhead
        var run = Run()
        run.next = ring * recordsPerRing
        run.end = run.next
        run.start = readers[ring].mark
        run.drainedTo = runs[ring].drainedTo
        var steps = 0
        steps: while true {
            let mark = readers[ring].mark
            if steps >= records || mark &- run.start >= bytes {
                run.cut = true
                run.reached = run.newest
                break
            }
            steps &+= 1
            switch readers[ring].next() {
            case .record(let payload, let byteCount):
                guard let header = Self.header(payload, byteCount) else {
                    run.malformed &+= 1
                    continue
                }
                let time = header.time > latest ? min(cutoff, now) : header.time
                if time > cutoff {
                    readers[ring].rewind(to: mark)
                    run.reached = cutoff
                    break steps
                }
                notes[run.end] = Note(time: time, mark: mark, byteCount: byteCount)
                run.end &+= 1
                run.newest = max(run.newest, time)
            case .discarded:
                run.discarded &+= 1
            case .corrupt(let skipped):
                run.corruptBytes &+= skipped
                run.corruptions &+= 1
                run.cut = true
                run.reached = run.newest
                break steps
            case .busy:
                run.reached = run.newest
                break steps
            case .empty:
                run.reached = cutoff
                break steps
            }
        }
        run.mark = readers[ring].mark
        runs[ring] = run
    }

    /// The header of a record that is as long as it says.
    @inline(__always)
    private static func header(_ payload: UnsafeRawPointer, _ byteCount: Int) -> hv_header? {
        guard byteCount >= MemoryLayout<hv_header>.size else { return nil }
        let header = payload.loadUnaligned(as: hv_header.self)
        return Int(header.size) == byteCount ? header : nil
    }

    /// Leaves the first record that is newer than `bound`, and all behind it, in the ring.
    private mutating func shorten(ring: Int, to bound: UInt64) {
        var run = runs[ring]
        var end = run.next
        while notes[end].time <= bound { end &+= 1 }
        run.end = end
        run.mark = notes[end].mark
        run.newest = bound
        run.reached = bound
        run.cut = true
        if run.malformed + run.discarded > 0 {
            // Some of them may lie behind the mark, and are counted when they are read again.
            run.malformed = 0
            run.discarded = 0
            readers[ring].rewind(to: run.start)
            walk: while readers[ring].mark != run.mark {
                switch readers[ring].next() {
                case .record(let payload, let byteCount):
                    if Self.header(payload, byteCount) == nil { run.malformed &+= 1 }
                case .discarded: run.discarded &+= 1
                case .busy, .empty, .corrupt: break walk  // what was committed does not change
                }
            }
        }
        runs[ring] = run
    }

    /// Insertion sort: a ring is nearly in order, a late record moves past the few that overtook it. The work is at
    /// most the square of `recordsPerRing`.
    private mutating func sort(ring: Int) {
        let first = runs[ring].next
        var sorted = first &+ 1
        while sorted < runs[ring].end {
            let note = notes[sorted]
            var hole = sorted
            while hole > first && notes[hole &- 1].time > note.time {
                notes[hole] = notes[hole &- 1]
                hole &-= 1
            }
            if hole != sorted { notes[hole] = note }
            sorted &+= 1
        }
    }

    /// Gives the rings' room back.
    @usableFromInline
    mutating func finish(now: UInt64, _ summary: inout OrderedDrainSummary) {
        for ring in 0..<ringCount {
            let run = runs[ring]
            readers[ring].release(upTo: run.mark)
            runs[ring].drainedTo = max(run.drainedTo, min(run.reached, now))
            summary.bytes &+= Int(bitPattern: run.mark &- run.start)
            if let busy = readers[ring].headBusy(now: now) {
                summary.busyRings |= 1 << UInt32(ring)
                summary.busyFor = max(summary.busyFor, busy)
            }
        }
    }
}
