public import KernelABI

/// Records of one ring and CPU that the kernel numbered and that did not arrive.
public struct Loss: Sendable, Equatable {
    public var ring: Int
    public var cpu: Int
    public var count: UInt64
    /// Time of the last record before them, or of the attachment where there is none; CLOCK_BOOTTIME, ns.
    public var from: UInt64
    /// Time of the first record after them, or when the kernel's counter was read where there is none yet.
    public var to: UInt64
    /// How many of each kind, at the index `hv_kind`; empty where the kernel's counters tell nothing. Over all losses of a
    /// stream the sums are the kernel's own; the sum of one loss may be less than its count (the kind of the rest is unknown).
    public var kinds: [UInt64]
    /// True where `kinds` is certain for this loss; else the kernel had dropped more than this one, and it got its share.
    public var kindsExact: Bool

    public init(ring: Int, cpu: Int, count: UInt64, from: UInt64, to: UInt64, kinds: [UInt64] = [], kindsExact: Bool = false) {
        self.ring = ring
        self.cpu = cpu
        self.count = count
        self.from = from
        self.to = to
        self.kinds = kinds
        self.kindsExact = kindsExact
    }
}

/// What the number of a record said.
public enum SequenceObservation: Sendable, Equatable {
    case inOrder
    /// Numbers before it are missing, for now.
    case afterGap
    /// It was missing, and came within the window.
    case late
    /// It had been declared lost: the losses told so far are one too many. `LossTotals.recovered` counts it.
    case recovered
    /// It has been here before.
    case duplicate
    /// No such ring, CPU or number is possible; not counted.
    case implausible
}

/// The account of a stream, or of all.
public struct LossTotals: Sendable, Equatable {
    public var received: UInt64 = 0
    /// Told as losses, the recovered ones too: `lost - recovered` is what is missing for good.
    public var lost: UInt64 = 0
    public var recovered: UInt64 = 0
    public var duplicates: UInt64 = 0
    /// Missing, but not yet for the whole window.
    public var open: UInt64 = 0
    /// Numbers accounted for: `received + lost - recovered + open`, which is the kernel's counter once it was reconciled.
    public var accounted: UInt64 { received + lost - recovered + open }

    public init(received: UInt64 = 0, lost: UInt64 = 0, recovered: UInt64 = 0, duplicates: UInt64 = 0, open: UInt64 = 0) {
        self.received = received
        self.lost = lost
        self.recovered = recovered
        self.duplicates = duplicates
        self.open = open
    }
}

/// Finds what is missing from the sequences of all rings and CPUs.
///
/// A number that is missing is lost only when its ring has been drained beyond the reorder window: preempted writers
/// may be late (up to 549 records, measured on preemptible kernels). What is missing behind the last record that
/// arrived is found from the kernel's own counter.
///
/// Use: `observe` for each record; now and then `reconcile` with the counter of each ring and CPU, right before `expire`
/// (what is told with an older counter lacks kinds); at the end, when everything was drained, `reconcile` and `finish`.
public struct LossTracker: Sendable {
    @usableFromInline struct Stream: Sendable {
        /// One more than the highest number seen or declared lost.
        @usableFromInline var next: UInt64 = 0
        /// Time of the record before `next`.
        @usableFromInline var time: UInt64
        @usableFromInline var received: UInt64 = 0
        var lost: UInt64 = 0
        var recovered: UInt64 = 0
        var duplicates: UInt64 = 0
        var gaps = SequenceGaps()
        var lostNumbers: LostNumbers
        /// Declared lost before their time because there were too many gaps, and not yet told.
        var early: Loss?
        /// All numbers below `end` had been taken at the time `since`.
        var tail: (end: UInt64, since: UInt64)?
        /// The kernel's counter as last read, and when.
        var taken: UInt64 = 0
        var takenAt: UInt64 = 0
        var dropped: [UInt64] = []
        /// What of `dropped` and of `lost` was told, and whether the last split was a share.
        var told: [UInt64] = Array(repeating: 0, count: Int(HV_KINDS_MAX))
        var lostTold: UInt64 = 0
        var shared = false

        /// Counts the record whose number is the next; false where another one is.
        @inlinable @inline(__always)
        mutating func follow(_ sequence: UInt64, _ time: UInt64) -> Bool {
            guard next == sequence else { return false }
            next = sequence &+ 1
            self.time = time
            received &+= 1
            return true
        }

        var open: UInt64 { gaps.count + (max(taken, next) - next) }
    }

    @usableFromInline var streams: [Stream]
    @usableFromInline let rings: Int
    @usableFromInline let cpus: Int
    private let window: UInt64
    private let mergeWithin: UInt64
    private let gapsMax: Int

    /// - Parameters:
    ///   - rings: rings, numbered from 0.
    ///   - cpus: possible CPUs, numbered from 0.
    ///   - attached: when the programs were attached; CLOCK_BOOTTIME, ns.
    ///   - window: ns after which a missing number is lost.
    ///   - mergeWithin: losses of a stream that are told at once and lie less than this apart are told as one.
    ///   - gapsMax: gaps of one stream that may be open at once; when there are more, the oldest is lost before its time.
    public init(
        rings: Int, cpus: Int, attached: UInt64, window: UInt64 = 500_000_000, mergeWithin: UInt64 = 100_000_000,
        gapsMax: Int = 1024
    ) {
        precondition(rings > 0 && cpus > 0 && gapsMax > 0)
        self.rings = rings
        self.cpus = cpus
        self.window = window
        self.mergeWithin = mergeWithin
        self.gapsMax = gapsMax
        streams = Array(
            repeating: Stream(time: attached, lostNumbers: LostNumbers(rangesMax: gapsMax)), count: rings * cpus)
    }

    /// Notes a record that arrived. Allocates only when it is out of order.
    /// - Parameters:
    ///   - time: `hv_header.time`.
    ///   - now: CLOCK_BOOTTIME in ns, not earlier than the record's arrival; the `now` of the drain will do.
    @inlinable @inline(__always) @discardableResult
    public mutating func observe(ring: Int, cpu: Int, sequence: UInt64, time: UInt64, now: UInt64) -> SequenceObservation {
        guard ring >= 0 && ring < rings && cpu >= 0 && cpu < cpus else { return .implausible }
        let stream = ring &* cpus &+ cpu
        if streams[stream].follow(sequence, time) { return .inOrder }
        return observeOutOfOrder(stream, sequence, time, now)
    }

    @usableFromInline @inline(never)
    mutating func observeOutOfOrder(_ index: Int, _ sequence: UInt64, _ time: UInt64, _ now: UInt64) -> SequenceObservation {
        guard sequence < 1 << 63 else { return .implausible }
        let next = streams[index].next
        if sequence > next {
            // Numbers that the kernel's counter had passed before were taken by then.
            var since = now
            if let tail = streams[index].tail, sequence <= tail.end { since = min(now, tail.since) }
            streams[index].gaps.append(
                SequenceGap(start: next, end: sequence, since: since, from: streams[index].time, to: time))
            streams[index].next = sequence + 1
            streams[index].time = time
            streams[index].received += 1
            keepBounded(index)
            return .afterGap
        }
        if streams[index].gaps.fill(sequence, time: time) {
            streams[index].received += 1
            keepBounded(index)
            return .late
        }
        if streams[index].lostNumbers.recover(sequence) {
            streams[index].received += 1
            streams[index].recovered += 1
            return .recovered
        }
        streams[index].duplicates += 1
        return .duplicate
    }

    private mutating func keepBounded(_ index: Int) {
        while streams[index].gaps.gaps.count > gapsMax, let oldest = streams[index].gaps.takeFirst(where: { _ in true }) {
            let loss = declare(oldest, index)
            if var early = streams[index].early {
                early.count += loss.count
                early.to = max(early.to, loss.to)
                streams[index].early = early
            } else {
                streams[index].early = loss
            }
        }
    }

    /// Notes the kernel's counter of one ring and CPU: what it took by now, and what it dropped of each kind.
    /// - Parameter now: CLOCK_BOOTTIME in ns, read with the counter.
    public mutating func reconcile(ring: Int, cpu: Int, counter: hv_counter, now: UInt64) {
        let index = ring * cpus + cpu
        streams[index].taken = max(streams[index].taken, counter.sequence)
        streams[index].takenAt = max(streams[index].takenAt, now)
        streams[index].dropped = withUnsafeBytes(of: counter.dropped) { Array($0.bindMemory(to: UInt64.self)) }
        if let tail = streams[index].tail, tail.end > streams[index].next { return }
        streams[index].tail = counter.sequence > streams[index].next ? (counter.sequence, now) : nil
    }

    /// Declares lost what has been missing for the window, and tells it.
    /// - Parameter drainedTo: the time up to which this ring has been drained (`OrderedDrain.drainedTo`), not simply the
    ///   time of day: what waits in the ring is not lost, however long the consumer was held up.
    public mutating func expire(ring: Int, drainedTo: UInt64) -> [Loss] {
        guard drainedTo > window else { return [] }
        return tell(ring: ring, upTo: drainedTo - window)
    }

    /// Declares lost whatever is missing. For the end: the programs are detached, all rings were drained to the last
    /// record and the counters reconciled after that.
    public mutating func finish() -> [Loss] {
        (0..<rings).flatMap { tell(ring: $0, upTo: .max) }
    }

    public func totals(ring: Int, cpu: Int) -> LossTotals {
        let stream = streams[ring * cpus + cpu]
        return LossTotals(
            received: stream.received, lost: stream.lost, recovered: stream.recovered, duplicates: stream.duplicates,
            open: stream.open)
    }

    /// Of all rings and CPUs.
    public var totals: LossTotals {
        var sum = LossTotals()
        for stream in streams {
            sum.received += stream.received
            sum.lost += stream.lost
            sum.recovered += stream.recovered
            sum.duplicates += stream.duplicates
            sum.open += stream.open
        }
        return sum
    }

    private mutating func tell(ring: Int, upTo limit: UInt64) -> [Loss] {
        var all: [Loss] = []
        for index in ring * cpus..<(ring + 1) * cpus {
            if streams[index].gaps.isEmpty && streams[index].tail == nil && streams[index].early == nil { continue }
            var losses: [Loss] = []
            if let early = streams[index].early {
                losses.append(early)
                streams[index].early = nil
            }
            while let gap = streams[index].gaps.takeFirst(where: { $0.since <= limit }) {
                merge(declare(gap, index), into: &losses)
            }
            while let tail = streams[index].tail, tail.since <= limit {
                let next = streams[index].next
                if tail.end > next {
                    let gap = SequenceGap(start: next, end: tail.end, since: tail.since, from: streams[index].time, to: tail.since)
                    merge(declare(gap, index), into: &losses)
                    streams[index].next = tail.end
                    streams[index].time = max(streams[index].time, tail.since)
                }
                // The counter may have gone on since.
                let taken = streams[index].taken
                streams[index].tail = taken > max(next, tail.end) ? (taken, streams[index].takenAt) : nil
            }
            for loss in losses.indices { attribute(&losses[loss], index) }
            all += losses
        }
        return all
    }

    private mutating func declare(_ gap: SequenceGap, _ index: Int) -> Loss {
        streams[index].lost += gap.count
        streams[index].lostNumbers.insert(start: gap.start, end: gap.end)
        return Loss(
            ring: index / cpus, cpu: index % cpus, count: gap.count, from: min(gap.from, gap.to), to: max(gap.from, gap.to))
    }

    private func merge(_ loss: Loss, into losses: inout [Loss]) {
        if let last = losses.last, loss.from < last.to || loss.from - last.to < mergeWithin {
            losses[losses.count - 1].count += loss.count
            losses[losses.count - 1].from = min(last.from, loss.from)
            losses[losses.count - 1].to = max(last.to, loss.to)
        } else {
            losses.append(loss)
        }
    }

    /// Splits a loss by kind, from what the kernel dropped and no loss has claimed.
    private mutating func attribute(_ loss: inout Loss, _ index: Int) {
        let stream = streams[index]
        // Certain only if all that was lost before has its kinds.
        let settled = !stream.shared && stream.lostTold &- stream.recovered == stream.told.reduce(0, +)
        streams[index].lostTold += loss.count
        let untold = zip(stream.dropped, stream.told).map { $0 > $1 ? $0 - $1 : 0 }
        let sum = untold.reduce(0, +)
        guard sum > 0 else { return }
        var kinds = untold
        let share = sum > loss.count && untold.filter { $0 > 0 }.count > 1
        if sum > loss.count {
            for kind in untold.indices {
                kinds[kind] = sum.dividingFullWidth(untold[kind].multipliedFullWidth(by: loss.count)).quotient
            }
            var rest = loss.count - kinds.reduce(0, +)
            for kind in untold.indices where rest > 0 {
                let more = min(rest, untold[kind] - kinds[kind])
                kinds[kind] += more
                rest -= more
            }
        }
        loss.kinds = kinds
        loss.kindsExact = settled && !share && sum >= loss.count
        for kind in kinds.indices { streams[index].told[kind] += kinds[kind] }
        streams[index].shared = (stream.shared || share) && sum > loss.count
    }
}
