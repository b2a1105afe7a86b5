import KernelABI
import Rings
import Testing

let second: UInt64 = 1_000_000_000
let millisecond: UInt64 = 1_000_000

/// The kernel's counter of one ring and CPU.
func counter(_ sequence: UInt64, dropped: [Int: UInt64] = [:]) -> hv_counter {
    var counter = hv_counter()
    counter.sequence = sequence
    withUnsafeMutableBytes(of: &counter.dropped) {
        for (kind, count) in dropped { $0.bindMemory(to: UInt64.self)[kind] = count }
    }
    return counter
}

@Suite struct LossTrackerTests {
    @Test func inOrderNothingIsLost() {
        var tracker = LossTracker(rings: 2, cpus: 2, attached: 0)
        for sequence in 0..<100 as Range<UInt64> {
            for ring in 0..<2 {
                for cpu in 0..<2 {
                    #expect(tracker.observe(ring: ring, cpu: cpu, sequence: sequence, time: sequence, now: sequence) == .inOrder)
                }
            }
        }
        #expect(tracker.expire(ring: 0, drainedTo: 100 * second).isEmpty)
        #expect(tracker.finish().isEmpty)
        #expect(tracker.totals == LossTotals(received: 400))
    }

    @Test func missingNumberIsLostOnlyAfterTheWindow() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 5)
        tracker.observe(ring: 0, cpu: 0, sequence: 0, time: second, now: second)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 4, time: second + 7, now: second + 9) == .afterGap)
        #expect(tracker.expire(ring: 0, drainedTo: second + 8 + 500 * millisecond).isEmpty)
        #expect(tracker.totals.open == 3)
        let losses = tracker.expire(ring: 0, drainedTo: second + 9 + 500 * millisecond)
        #expect(losses == [Loss(ring: 0, cpu: 0, count: 3, from: second, to: second + 7)])
        #expect(tracker.totals == LossTotals(received: 2, lost: 3))
        #expect(tracker.expire(ring: 0, drainedTo: 9 * second).isEmpty, "told once")
    }

    @Test func firstNumbersMissing() {
        var tracker = LossTracker(rings: 2, cpus: 4, attached: 77)
        tracker.observe(ring: 1, cpu: 3, sequence: 2, time: 100, now: 100)
        #expect(tracker.expire(ring: 0, drainedTo: second).isEmpty)
        #expect(tracker.expire(ring: 1, drainedTo: second) == [
            Loss(ring: 1, cpu: 3, count: 2, from: 77, to: 100)
        ])
    }

    @Test func lateRecordsAreNoLoss() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0)
        // 549 records overtake the first, which was measured.
        for sequence in 1...549 as ClosedRange<UInt64> {
            tracker.observe(ring: 0, cpu: 0, sequence: sequence, time: sequence, now: sequence)
        }
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 0, time: 0, now: 600) == .late)
        #expect(tracker.expire(ring: 0, drainedTo: second).isEmpty)
        #expect(tracker.totals == LossTotals(received: 550))
    }

    /// One late record splits a gap: the losses on both sides have its time as their bound.
    @Test func lateRecordInTheMiddleOfAGap() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0, mergeWithin: 0)
        tracker.observe(ring: 0, cpu: 0, sequence: 0, time: 10, now: 10)
        tracker.observe(ring: 0, cpu: 0, sequence: 10, time: 100, now: 100)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 4, time: 40, now: 110) == .late)
        let losses = tracker.expire(ring: 0, drainedTo: second)
        #expect(losses.map(\.count) == [3, 5])
        #expect(losses.map(\.from) == [10, 40] && losses.map(\.to) == [40, 100])
    }

    @Test func recordAfterItsLossIsRecoveredAndASecondTimeADuplicate() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0)
        tracker.observe(ring: 0, cpu: 0, sequence: 0, time: 0, now: 0)
        tracker.observe(ring: 0, cpu: 0, sequence: 5, time: 1, now: 1)
        #expect(tracker.expire(ring: 0, drainedTo: second).first?.count == 4)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 2, time: 1, now: second) == .recovered)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 2, time: 1, now: second) == .duplicate)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 5, time: 1, now: second) == .duplicate)
        #expect(tracker.totals == LossTotals(received: 3, lost: 4, recovered: 1, duplicates: 2))
        #expect(tracker.totals.accounted == 6)
    }

    @Test func tailIsFoundFromTheKernelsCounter() {
        var tracker = LossTracker(rings: 1, cpus: 2, attached: 0)
        tracker.observe(ring: 0, cpu: 1, sequence: 0, time: 10, now: 10)
        tracker.reconcile(ring: 0, cpu: 1, counter: counter(4, dropped: [Int(HV_KIND_EXEC.rawValue): 3]), now: second)
        #expect(tracker.totals.open == 3)
        #expect(tracker.expire(ring: 0, drainedTo: second + 499 * millisecond).isEmpty)
        tracker.reconcile(ring: 0, cpu: 1, counter: counter(4, dropped: [Int(HV_KIND_EXEC.rawValue): 3]), now: 2 * second)
        let losses = tracker.expire(ring: 0, drainedTo: second + 500 * millisecond)
        #expect(losses == [Loss(ring: 0, cpu: 1, count: 3, from: 10, to: second, kinds: kinds(3, 0), kindsExact: true)])
        #expect(tracker.totals.accounted == 4)
    }

    /// What the counter has passed but the consumer has not read yet is no loss, however late the consumer is.
    @Test func backlogIsNoLoss() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0)
        tracker.reconcile(ring: 0, cpu: 0, counter: counter(1000), now: second)
        for sequence in 0..<1000 as Range<UInt64> {
            tracker.observe(ring: 0, cpu: 0, sequence: sequence, time: sequence, now: 60 * second)
            #expect(tracker.expire(ring: 0, drainedTo: sequence).isEmpty)
        }
        #expect(tracker.expire(ring: 0, drainedTo: 60 * second).isEmpty)
        #expect(tracker.totals == LossTotals(received: 1000))
    }

    @Test func finishTellsAllAtOnce() {
        var tracker = LossTracker(rings: 2, cpus: 1, attached: 0, mergeWithin: 0)
        tracker.observe(ring: 0, cpu: 0, sequence: 3, time: 10, now: 10)
        tracker.reconcile(ring: 0, cpu: 0, counter: counter(6), now: 20)
        tracker.reconcile(ring: 0, cpu: 0, counter: counter(9), now: 30)
        tracker.reconcile(ring: 1, cpu: 0, counter: counter(2), now: 30)
        let told = tracker.finish().reduce(0 as UInt64) { $0 + $1.count }
        #expect(told == 10)
        #expect(tracker.totals == LossTotals(received: 1, lost: 10))
    }

    @Test func kindsOfOneLossAmongOthersAreShares() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0, mergeWithin: 0)
        tracker.observe(ring: 0, cpu: 0, sequence: 10, time: 10, now: 10)
        tracker.observe(ring: 0, cpu: 0, sequence: 21, time: second, now: second)
        tracker.reconcile(ring: 0, cpu: 0, counter: counter(22, dropped: [1: 12, 4: 8]), now: second)
        let first = tracker.expire(ring: 0, drainedTo: second)
        #expect(first.map(\.kinds) == [kinds(6, 4)] && first.map(\.kindsExact) == [false])
        let rest = tracker.expire(ring: 0, drainedTo: 2 * second)
        #expect(rest.map(\.kinds) == [kinds(6, 4)] && rest.map(\.kindsExact) == [false])
        tracker.observe(ring: 0, cpu: 0, sequence: 24, time: 3 * second, now: 3 * second)
        tracker.reconcile(ring: 0, cpu: 0, counter: counter(25, dropped: [1: 13, 4: 9]), now: 3 * second)
        let last = tracker.expire(ring: 0, drainedTo: 4 * second)
        #expect(last.map(\.kinds) == [kinds(1, 1)] && last.map(\.kindsExact) == [true])
    }

    @Test func neighbouringLossesAreToldAsOne() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0)
        for number in 1...50 as ClosedRange<UInt64> {
            tracker.observe(ring: 0, cpu: 0, sequence: 2 * number, time: number * millisecond, now: number * millisecond)
        }
        tracker.observe(ring: 0, cpu: 0, sequence: 101, time: second, now: second)
        tracker.observe(ring: 0, cpu: 0, sequence: 105, time: second + 1, now: second + 1)
        let losses = tracker.expire(ring: 0, drainedTo: 9 * second)
        #expect(losses.map(\.count) == [51, 3])
        #expect(losses.map(\.from) == [0, second] && losses.map(\.to) == [50 * millisecond, second + 1])
    }

    @Test func gapsAreBounded() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0, mergeWithin: 0, gapsMax: 10)
        for number in 1...1000 as ClosedRange<UInt64> {
            tracker.observe(ring: 0, cpu: 0, sequence: 2 * number, time: number, now: number)
        }
        #expect(tracker.totals.open == 10 && tracker.totals.lost == 991)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 3, time: 2000, now: 2000) == .recovered, "forgotten, yet counted")
        let losses = tracker.expire(ring: 0, drainedTo: second)
        #expect(losses.map(\.count).reduce(0, +) == 1001)
        #expect(tracker.totals.accounted == 2001)
        #expect(tracker.totals.lost - tracker.totals.recovered == 1000)
    }

    /// Of forgotten ranges only the count is known: as many may come back, and no more.
    @Test func forgottenNumbersComeBackOnce() {
        var tracker = LossTracker(rings: 1, cpus: 1, attached: 0, gapsMax: 1)
        for sequence in [0, 2, 4, 6] as [UInt64] {
            tracker.observe(ring: 0, cpu: 0, sequence: sequence, time: sequence, now: sequence)
        }
        #expect(tracker.totals.lost == 2)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 1, time: 7, now: 7) == .recovered)
        #expect(tracker.observe(ring: 0, cpu: 0, sequence: 1, time: 8, now: 8) == .duplicate)
    }

    @Test(arguments: [(2, 0, 0), (-1, 0, 0), (0, 2, 0), (0, -1, 0), (0, 0, UInt64.max), (0, 0, 1 << 63)])
    func impossibleNumbers(ring: Int, cpu: Int, sequence: UInt64) {
        var tracker = LossTracker(rings: 2, cpus: 2, attached: 0)
        #expect(tracker.observe(ring: ring, cpu: cpu, sequence: sequence, time: 0, now: 0) == .implausible)
        #expect(tracker.totals == LossTotals())
    }
}

/// Counts of kinds: execs and files.
private func kinds(_ execs: UInt64, _ files: UInt64) -> [UInt64] {
    var counts = [UInt64](repeating: 0, count: Int(HV_KINDS_MAX))
    (counts[Int(HV_KIND_EXEC.rawValue)], counts[Int(HV_KIND_FILE.rawValue)]) = (execs, files)
    return counts
}
