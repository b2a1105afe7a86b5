import KernelABI
import Rings
import Synchronization
import Testing

@Suite struct OrderedDrainTests {
    static func drain(of rings: [SimulatedRing], notesPerRing: Int = 4096) -> OrderedDrain {
        var drain = OrderedDrain(rings: rings.count, notesPerRing: notesPerRing)
        for ring in rings { drain.add(ring.reader()) }
        return drain
    }

    @Test func ordersOverRings() {
        let rings = (0..<3).map { _ in SimulatedRing(size: 4096) }
        for (ring, times) in [[10, 40, 70], [20, 50, 80], [30, 60, 90]].enumerated() {
            for time in times { rings[ring].write(record(ring: ring, time: UInt64(time))) }
        }
        var drain = Self.drain(of: rings)
        var seen: [(UInt64, Int)] = []
        let done = drain.drain(now: 200, window: 100) { seen.append((header($0).time, $1)) }
        #expect(seen.map(\.0) == [10, 20, 30, 40, 50, 60, 70, 80, 90])
        #expect(seen.map(\.1) == [0, 1, 2, 0, 1, 2, 0, 1, 2])
        #expect(done.records == 9 && done.bytes == 9 * 40 && !done.moreWork)
    }

    @Test func whatIsYoungerThanTheWindowStays() {
        let rings = [SimulatedRing(size: 4096), SimulatedRing(size: 4096)]
        for time in [100, 200, 300] as [UInt64] { rings[0].write(record(time: time)) }
        rings[1].write(record(time: 250))
        var drain = Self.drain(of: rings)
        var seen: [UInt64] = []
        #expect(drain.drain(now: 320, window: 100) { seen.append(header($0).time); _ = $1 }.records == 2)
        #expect(seen == [100, 200])
        #expect(rings[0].consumed == 80 && rings[1].consumed == 0)
        #expect(drain.drainedTo(ring: 0) == 300 && drain.drainedTo(ring: 1) == 250)
        rings[1].write(record(time: 240))  // late, but within the window
        _ = drain.drain(now: 400, window: 100) { seen.append(header($0).time); _ = $1 }
        #expect(seen == [100, 200, 240, 250, 300])
        rings[0].write(record(time: 500))
        let done = drain.drain(now: 501, window: 100, flush: true) { seen.append(header($0).time); _ = $1 }
        #expect(seen.last == 500 && done.records == 1)
        #expect(drain.drainedTo(ring: 0) == 501)
    }

    /// A record that is old enough comes though a younger one lies before it; the room comes back with the younger one.
    @Test func lateRecordBehindAYoungerOne() {
        let ring = SimulatedRing(size: 4096)
        for time in [600, 100, 700, 150] as [UInt64] { ring.write(record(time: time)) }
        var drain = Self.drain(of: [ring])
        var seen: [UInt64] = []
        #expect(drain.drain(now: 700, window: 200) { seen.append(header($0).time); _ = $1 }.records == 2)
        #expect(seen == [100, 150] && ring.consumed == 0 && drain.drainedTo(ring: 0) == 600)
        #expect(drain.drain(now: 800, window: 200) { seen.append(header($0).time); _ = $1 }.records == 1)
        #expect(seen == [100, 150, 600] && ring.consumed == 80)
        #expect(drain.drain(now: 900, window: 200) { seen.append(header($0).time); _ = $1 }.records == 1)
        #expect(seen == [100, 150, 600, 700] && ring.consumed == ring.produced)
    }

    /// More bytes in a window than a budget has: each drain hands out a whole budget all the same.
    @Test func denseBacklog() {
        let ring = SimulatedRing(size: 1 << 16)
        let written = 1000
        for time in 0..<written { ring.write(record(time: 1_000_000 + UInt64(time))) }
        var drain = Self.drain(of: [ring])
        let budget = DrainBudget(bytes: 50 * 40)
        var seen: [UInt64] = []
        var rounds = 0
        while rounds < written {
            rounds += 1
            if !drain.drain(now: 2_000_000, window: 400, budget: budget, { seen.append(header($0).time); _ = $1 }).moreWork { break }
        }
        #expect(seen == (0..<written).map { 1_000_000 + UInt64($0) })
        #expect(rounds <= written / 50 + 2)
    }

    /// Everything in `now`'s past is older than the window when there is no window yet.
    @Test func windowLongerThanTheClock() {
        let ring = SimulatedRing(size: 4096)
        ring.write(record(time: 5))
        var drain = Self.drain(of: [ring])
        #expect(drain.drain(now: 50, window: 100) { _, _ in }.records == 0)
    }

    @Test func busyHeadBlocksItsRingOnly() throws {
        let rings = [SimulatedRing(size: 4096), SimulatedRing(size: 4096)]
        let reserved = try #require(rings[0].reserve(32))
        rings[0].write(record(time: 20))
        rings[1].write(record(time: 30))
        var drain = Self.drain(of: rings)
        var seen: [UInt64] = []
        var done = drain.drain(now: 1000, window: 100) { seen.append(header($0).time); _ = $1 }
        #expect(seen == [30])
        #expect(done.busyRings == 0b01 && done.busyFor == 0 && !done.moreWork)
        #expect(drain.drainedTo(ring: 0) == 0 && drain.drainedTo(ring: 1) == 1000)
        done = drain.drain(now: 1700, window: 100) { _, _ in }
        #expect(done.busyRings == 0b01 && done.busyFor == 700)
        rings[0].fill(reserved, record(time: 10))
        rings[0].commit(reserved)
        done = drain.drain(now: 1800, window: 100) { seen.append(header($0).time); _ = $1 }
        #expect(seen == [30, 10, 20] && done.busyRings == 0)
        #expect(drain.drainedTo(ring: 0) == 1800)
    }

    @Test func malformedRecordsAreCountedAndSkipped() {
        let ring = SimulatedRing(size: 4096)
        ring.write([])
        ring.write([1, 2, 3])
        ring.write(Array(repeating: 0, count: 31))
        ring.write(record(time: 1, extra: 8, size: 32))
        ring.write(record(time: 2, size: 40))
        ring.write(record(time: 3))
        ring.write(record(time: 4), discard: true)
        var drain = Self.drain(of: [ring])
        var seen: [UInt64] = []
        let done = drain.drain(now: 100, window: 10) { seen.append(header($0).time); _ = $1 }
        #expect(seen == [3])
        #expect(done.records == 1 && done.malformed == 5 && done.discarded == 1)
        #expect(ring.consumed == ring.produced)
    }

    @Test func corruptHeaderIsTold() {
        let rings = [SimulatedRing(size: 4096), SimulatedRing(size: 4096)]
        for time in 1...4 as ClosedRange<UInt64> { rings[0].write(record(time: time)) }
        rings[1].write(record(time: 2))
        rings[0].header(80).pointee.store(4000, ordering: .relaxed)
        var drain = Self.drain(of: rings)
        var seen: [UInt64] = []
        var corruptBytes = 0
        var more = true
        while more {
            let done = drain.drain(now: 100, window: 10) { seen.append(header($0).time); _ = $1 }
            corruptBytes += done.corruptBytes
            more = done.moreWork
        }
        #expect(seen == [1, 2, 2] && corruptBytes == 80)
        rings[0].write(record(time: 50))
        _ = drain.drain(now: 100, window: 10) { seen.append(header($0).time); _ = $1 }
        #expect(seen == [1, 2, 2, 50])
    }

    /// A time that can't be must not hold up its ring.
    @Test func impossibleTimeIsNotWaitedFor() {
        let ring = SimulatedRing(size: 4096)
        ring.write(record(time: .max))
        ring.write(record(time: 7))
        var drain = Self.drain(of: [ring])
        #expect(drain.drain(now: 1000, window: 10) { _, _ in }.records == 1)
        #expect(drain.drain(now: 1010, window: 10) { _, _ in }.records == 1, "as if it had happened when it was found")
    }

    @Test func budgetOfOneRingHoldsTheOthersBack() {
        let rings = [SimulatedRing(size: 4096), SimulatedRing(size: 4096)]
        for time in 1...10 as ClosedRange<UInt64> {
            rings[0].write(record(time: 10 * time))
            rings[1].write(record(time: 10 * time + 5))
            if time == 2 { rings[1].write([0]) }  // malformed, and counted once
            if time == 3 { rings[1].write(record(time: 1), discard: true) }
        }
        var drain = Self.drain(of: rings)
        var seen: [UInt64] = []
        var calls = 0
        var malformed = 0
        var discarded = 0
        var more = true
        while more {
            let done = drain.drain(now: 1000, window: 10, budget: DrainBudget(records: calls % 2 == 0 ? 2 : 4)) {
                seen.append(header($0).time)
                _ = $1
            }
            #expect(done.records > 0 || !done.moreWork, "each call gets on")
            malformed += done.malformed
            discarded += done.discarded
            more = done.moreWork
            calls += 1
        }
        #expect(seen == (2...21).map { (step: UInt64) in step * 5 })
        #expect(malformed == 1 && discarded == 1)
        #expect(calls > 3)
    }

    @Test func takesAtMostAQuarterOfTheRing() {
        let ring = SimulatedRing(size: 4096)
        while ring.write(record(time: 1)) {}
        var drain = Self.drain(of: [ring])
        let done = drain.drain(now: 100, window: 10) { _, _ in }
        #expect(done.bytes >= 1024 && done.bytes < 1024 + 40 && done.moreWork)
        let long = SimulatedRing(size: 4096)
        long.write(record(time: 1, extra: 3000))
        var other = Self.drain(of: [long])
        #expect(other.drain(now: 100, window: 10) { _, _ in }.records == 1, "but at least one record")
    }

    /// Writers that are late by less than the window, rings that fill up, small budgets, records that are discarded or
    /// malformed: whatever is written comes once, and in order of time if there is room for notes.
    @Test(arguments: 0..<6 as Range<UInt64>, [2, 16, 512])
    func randomWriters(seed: UInt64, notesPerRing: Int) {
        var random = SeededGenerator(seed: seed)
        let window: UInt64 = 500
        let rings = (0..<Int.random(in: 1...4, using: &random)).map { _ in SimulatedRing(size: 8192) }
        var drain = Self.drain(of: rings, notesPerRing: notesPerRing)
        var pending: [(written: UInt64, time: UInt64)] = []
        var now: UInt64 = 1000
        var written: [UInt64] = []
        var seen: [UInt64] = []
        var malformed = 0
        var discarded = 0
        var told = OrderedDrainSummary()
        func drainOnce(flush: Bool = false) -> Bool {
            let budget = DrainBudget(records: Int.random(in: 1...100, using: &random), bytes: Int.random(in: 1...3000, using: &random))
            let done = drain.drain(now: now, window: window, budget: budget, flush: flush) { bytes, _ in
                seen.append(header(bytes).time)
            }
            told.malformed += done.malformed
            told.discarded += done.discarded
            told.corruptions += done.corruptions
            return done.moreWork
        }
        for _ in 0..<3000 {
            now += UInt64.random(in: 0...20, using: &random)
            pending.append((now + UInt64.random(in: 0..<window, using: &random), now))
            for ready in pending where ready.written <= now {
                let ring = rings.randomElement(using: &random)!
                let choice = Int.random(in: 0..<20, using: &random)
                if choice == 0 {
                    if ring.write([1, 2]) { malformed += 1 }
                } else if choice == 1 {
                    if ring.write([3], discard: true) { discarded += 1 }
                }
                if ring.write(record(time: ready.time, extra: Int.random(in: 0...90, using: &random))) { written.append(ready.time) }
            }
            pending.removeAll { $0.written <= now }
            if Int.random(in: 0..<8, using: &random) == 0 {
                var calls = 0
                while drainOnce() && calls < 50 { calls += 1 }
            }
        }
        while drainOnce(flush: true) {}
        #expect(seen.count == written.count && seen.sorted() == written.sorted())
        if notesPerRing > 500 { #expect(seen == seen.sorted()) }
        #expect(told.malformed == malformed && told.discarded == discarded && told.corruptions == 0)
        #expect(rings.allSatisfy { $0.consumed == $0.produced })
    }

    /// drainedTo is a promise: nothing that was reserved before it comes later.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func nothingReservedBeforeDrainedToIsLeft(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rings = (0..<3).map { _ in SimulatedRing(size: 8192) }
        var drain = Self.drain(of: rings)
        var now: UInt64 = 1000
        var reserved: [[UInt64: UInt64]] = [[:], [:], [:]]  // when each record that is in the ring was reserved
        var handedOut = 0
        for number in 0..<4000 as Range<UInt64> {
            now += UInt64.random(in: 0...10, using: &random)
            let ring = Int.random(in: 0..<3, using: &random)
            let time = now - UInt64.random(in: 0...400, using: &random)
            if rings[ring].write(record(ring: ring, sequence: number, time: time)) { reserved[ring][number] = now }
            guard Int.random(in: 0..<10, using: &random) == 0 else { continue }
            let budget = DrainBudget(records: Int.random(in: 1...40, using: &random))
            _ = drain.drain(now: now, window: 100, budget: budget) { bytes, ring in
                if reserved[ring].removeValue(forKey: header(bytes).sequence) != nil { handedOut += 1 }
            }
            for ring in 0..<3 {
                #expect(reserved[ring].values.allSatisfy { $0 >= drain.drainedTo(ring: ring) })
            }
        }
        #expect(handedOut > 1000)
    }
}
