public import KernelABI

/// What one ordered drain over all rings did.
public struct OrderedDrainSummary: Sendable {
    /// Records handed out, and their bytes in the rings: payload, header and padding.
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
    /// Bit i: a record of ring i is reserved and not committed, and blocks those behind it.
    public var busyRings: UInt32 = 0
    /// For how many nanoseconds the longest of them has been seen so.
    public var busyFor: UInt64 = 0

    @inlinable public init() {}
}

/// How much one ordered drain hands out from each ring.
public struct DrainBudget: Sendable {
    public var records: Int
    public var bytes: Int

    /// - Parameters:
    ///   - records: at least 1.
    ///   - bytes: of the ring; the drain ends with the record that fills them, or a quarter of the ring, so that the
    ///     writers get room while there is much to do. The default stays in a processor's second cache.
    public init(records: Int = .max, bytes: Int = 128 << 10) {
        self.records = max(1, records)
        self.bytes = max(1, bytes)
    }
}

/// The one consumer of several rings: hands out their records in order of time.
///
/// Records of different CPUs reach a ring, and different rings, a little out of order. So what is younger than a window
/// waits in its ring: as long as every record is written within the window after its `hv_header.time`, the order of time
/// holds over all rings and all calls. A record that comes later than that is handed out when it comes.
///
/// Nothing is copied: the drain notes where the records lie, keeps the notes sorted, and gives a ring's room back up to
/// the first record that still waits. Nothing is allocated after the initialiser.
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

    /// What is known of one ring.
    @usableFromInline struct Run {
        /// Notes of records that were not handed out: the first, and the one behind the last.
        @usableFromInline var next = 0
        @usableFromInline var end = 0
        /// What this drain may still hand out.
        @usableFromInline var recordsLeft = 0
        @usableFromInline var bytesLeft = 0
        /// The latest time of all noted records.
        @usableFromInline var newest: UInt64 = 0
        /// Bytes of the ring that the records with notes take.
        @usableFromInline var noted = 0
        /// All that was in the ring when this drain began is noted.
        @usableFromInline var read = false
        @usableFromInline var drainedTo: UInt64 = 0
        @inlinable init() {}
    }

    /// How far ahead of a record memory is asked for. Lengths chain the headers to each other, so no processor foresees
    /// where the next lies; without this, half of the time of a drain was waiting for headers.
    @usableFromInline static let prefetchDistance = 2048

    /// A time this far ahead of now is no time: such a record is not waited for.
    @usableFromInline static let farAhead: UInt64 = 10_000_000_000

    @usableFromInline let readers: UnsafeMutablePointer<RingReader>
    @usableFromInline let runs: UnsafeMutablePointer<Run>
    @usableFromInline let notes: UnsafeMutablePointer<Note>
    @usableFromInline let notesPerRing: Int
    @usableFromInline let ringsMax: Int
    public private(set) var ringCount = 0

    /// - Parameters:
    ///   - rings: how many rings can be added; at most 32.
    ///   - notesPerRing: records of a ring that can wait in order, 24 bytes of memory each. When more of them are younger
    ///     than the window, the rest waits unread, and a late one among it may come out of order.
    public init(rings: Int = Int(HV_RINGS_MAX), notesPerRing: Int = 8192) {
        precondition(rings > 0 && rings <= 32 && notesPerRing > 1, "1 to 32 rings, at least two notes")
        ringsMax = rings
        self.notesPerRing = notesPerRing
        readers = .allocate(capacity: rings)
        runs = .allocate(capacity: rings)
        notes = .allocate(capacity: rings * notesPerRing)
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
        var run = Run()
        run.next = ringCount * notesPerRing
        run.end = run.next
        (runs + ringCount).initialize(to: run)
        ringCount += 1
    }

    /// Bytes in the ring: unread, or waiting for their turn.
    public func fill(ring: Int) -> Int {
        precondition(ring >= 0 && ring < ringCount)
        return readers[ring].fill
    }

    /// Bytes of the ring's data area.
    public func size(ring: Int) -> Int {
        precondition(ring >= 0 && ring < ringCount)
        return readers[ring].size
    }

    /// A ring is more than half full: time to drain with a window of 0, since order matters less than a loss.
    public var isPressed: Bool {
        for ring in 0..<ringCount where readers[ring].fill > readers[ring].size / 2 { return true }
        return false
    }

    /// The time (CLOCK_BOOTTIME, ns) up to which the ring is drained: every record that was reserved in it before then
    /// has been handed out. It stands still while the ring's head is busy.
    public func drainedTo(ring: Int) -> UInt64 {
        precondition(ring >= 0 && ring < ringCount)
        return runs[ring].drainedTo
    }

    /// Hands out the records of all rings that are older than the window, by time.
    /// - Parameters:
    ///   - now: CLOCK_BOOTTIME in ns, read right before the call.
    ///   - window: ns that a record waits for others that are earlier.
    ///   - budget: what is taken from each ring; when one has no more of it, the drain ends.
    ///   - flush: take everything, whatever its age; at the end.
    ///   - body: gets the payload, at least as long as `hv_header` and as long as its `size` says, and the index of
    ///     the ring. The bytes are valid during its call only.
    @inlinable
    public mutating func drain(
        now: UInt64, window: UInt64, budget: DrainBudget = DrainBudget(), flush: Bool = false,
        _ body: (RawSpan, Int) -> Void
    ) -> OrderedDrainSummary {
        var summary = OrderedDrainSummary()
        let cutoff = flush ? .max : now > window ? now - window : 0
        let bound = prepare(now: now, cutoff: cutoff, window: window, budget: budget, &summary)
        // From the ring with the earliest record as long as no other ring has an earlier one.
        while let (ring, other) = earliest(through: bound) {
            guard handOut(ring: ring, through: min(other, bound), &summary, body) else {
                summary.moreWork = true
                break
            }
        }
        finish(now: now, &summary)
        return summary
    }

    /// False when the ring's budget is used up.
    @inlinable @inline(__always)
    mutating func handOut(
        ring: Int, through limit: UInt64, _ summary: inout OrderedDrainSummary, _ body: (RawSpan, Int) -> Void
    ) -> Bool {
        let first = runs[ring].next
        let end = runs[ring].end
        let last = first &+ min(end &- first, runs[ring].recordsLeft)
        var bytesLeft = runs[ring].bytesLeft
        let bytes = bytesLeft
        var next = first
        while next < last && bytesLeft > 0 {
            let note = notes[next]
            if note.time > limit { break }
            body(RawSpan(_unsafeStart: readers[ring].payload(at: note.mark), byteCount: note.byteCount), ring)
            bytesLeft &-= (note.byteCount &+ 15) & ~7
            next &+= 1
        }
        summary.records &+= next &- first
        summary.bytes &+= bytes &- bytesLeft
        runs[ring].noted &-= bytes &- bytesLeft
        runs[ring].next = next
        runs[ring].recordsLeft &-= next &- first
        runs[ring].bytesLeft = bytesLeft
        return next == end || bytesLeft > 0 && runs[ring].recordsLeft > 0
    }

    /// The ring with the earliest record that waits, unless it is newer than `bound`, and the time of the earliest
    /// record of the other rings.
    @usableFromInline
    func earliest(through bound: UInt64) -> (ring: Int, other: UInt64)? {
        var first = -1
        var time = UInt64.max
        var other = UInt64.max
        for ring in 0..<ringCount where runs[ring].next < runs[ring].end {
            let next = notes[runs[ring].next].time
            if first < 0 || next < time {
                other = time
                first = ring
                time = next
            } else if next < other {
                other = next
            }
        }
        return first < 0 || time > bound ? nil : (first, other)
    }

    /// Reads what is in the rings and sorts the notes. Returns the time up to which all records that are in the rings are
    /// noted, at most the cutoff.
    @usableFromInline
    mutating func prepare(
        now: UInt64, cutoff: UInt64, window: UInt64, budget: DrainBudget, _ summary: inout OrderedDrainSummary
    ) -> UInt64 {
        var bound = cutoff
        for ring in 0..<ringCount {
            runs[ring].recordsLeft = budget.records
            runs[ring].bytesLeft = min(budget.bytes, max(1, readers[ring].size / 4))
            read(ring: ring, now: now, window: window, &summary)
            let run = runs[ring]
            if run.read || summary.busyRings & 1 << UInt32(ring) != 0 { continue }
            guard run.next < run.end else {
                summary.moreWork = true
                continue
            }
            // What was not read may be late by the window. Where the notes do not reach that far, get on with half of them.
            let surely = run.newest > window ? run.newest - window : 0
            let first = notes[run.next].time
            let reached = surely >= first ? surely : notes[run.next + (run.end - run.next) / 2].time
            bound = min(bound, reached)
            if first <= cutoff { summary.moreWork = true }
        }
        return bound
    }

    /// Notes the records of one ring until it is empty, or busy, or there is no room for more notes, or enough of them: as
    /// many as may be handed out, and those of a window behind them. (To read on would push out of the processor's caches
    /// what is about to be used.)
    private mutating func read(ring: Int, now: UInt64, window: UInt64, _ summary: inout OrderedDrainSummary) {
        let latest = Self.sum(now, Self.farAhead)
        let first = runs[ring].next
        let limit = (ring + 1) * notesPerRing
        var end = runs[ring].end
        var newest = runs[ring].newest
        var noted = runs[ring].noted
        let enough = runs[ring].bytesLeft
        var horizon = noted >= enough ? Self.sum(time(filling: enough, from: first, to: end), window) : .max
        runs[ring].read = false
        var steps = 0
        steps: while end < limit && steps < notesPerRing && newest < horizon {
            steps &+= 1
            let mark = readers[ring].mark
            switch readers[ring].next() {
            case .record(let payload, let byteCount):
                guard byteCount >= MemoryLayout<hv_header>.size,
                    case let header = payload.loadUnaligned(as: hv_header.self), Int(header.size) == byteCount
                else {
                    summary.malformed &+= 1
                    continue
                }
                let note = Note(time: header.time > latest ? now : header.time, mark: mark, byteCount: byteCount)
                newest = max(newest, note.time)
                // Insertion sort: a late record moves past the few that overtook it.
                var place = end
                while place > first && notes[place &- 1].time > note.time {
                    notes[place] = notes[place &- 1]
                    place &-= 1
                }
                notes[place] = note
                end &+= 1
                noted &+= (byteCount &+ 15) & ~7
                for line in stride(from: Self.prefetchDistance, to: Self.prefetchDistance &+ byteCount, by: 64) {
                    hv_prefetch(payload + line)
                }
                if noted >= enough && horizon == .max { horizon = Self.sum(newest, window) }
            case .discarded:
                summary.discarded &+= 1
            case .corrupt(let skipped):
                summary.corruptBytes &+= skipped
                summary.corruptions &+= 1
            case .busy:
                summary.busyRings |= 1 << UInt32(ring)
                break steps
            case .empty:
                runs[ring].read = true
                break steps
            }
        }
        runs[ring].end = end
        runs[ring].newest = newest
        runs[ring].noted = noted
    }

    /// The time of the noted record with which this many bytes are handed out.
    private func time(filling bytes: Int, from first: Int, to end: Int) -> UInt64 {
        var left = bytes
        var place = first
        while place &+ 1 < end {
            left &-= (notes[place].byteCount &+ 15) & ~7
            if left <= 0 { break }
            place &+= 1
        }
        return notes[place].time
    }

    private static func sum(_ time: UInt64, _ duration: UInt64) -> UInt64 {
        let (sum, overflow) = time.addingReportingOverflow(duration)
        return overflow ? .max : sum
    }

    /// Gives the rings' room back, up to the first record that still waits.
    @usableFromInline
    mutating func finish(now: UInt64, _ summary: inout OrderedDrainSummary) {
        for ring in 0..<ringCount {
            let waiting = runs[ring].end - runs[ring].next
            let start = ring * notesPerRing
            let released = readers[ring].released
            var held = readers[ring].mark &- released
            for index in 0..<waiting {
                let note = notes[runs[ring].next + index]
                notes[start + index] = note
                held = min(held, note.mark &- released)
            }
            runs[ring].next = start
            runs[ring].end = start + waiting
            readers[ring].release(upTo: released &+ held)

            // A record is reserved after its time, and one that is not noted after all that are.
            var reached = runs[ring].read ? now : min(runs[ring].newest, now)
            if waiting > 0 { reached = min(reached, notes[start].time) }
            runs[ring].drainedTo = max(runs[ring].drainedTo, reached)

            if let busy = readers[ring].headBusy(now: now) { summary.busyFor = max(summary.busyFor, busy) }
        }
    }
}
