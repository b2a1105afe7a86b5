import KernelABI
import Rings
import Testing

/// Random streams against what really happened to each number.
@Suite struct LossTrackerPropertyTests {
    struct Course: Sendable {
        var latest: UInt64  // ms that a record may be late; the window is 500
        var duplicates: Bool
        var gapsMax: Int
        var dropShare: Int  // of 100
    }

    @Test(arguments: 0..<8 as Range<UInt64>, [
        Course(latest: 499, duplicates: true, gapsMax: 100_000, dropShare: 0),
        Course(latest: 499, duplicates: true, gapsMax: 100_000, dropShare: 10),
        Course(latest: 3000, duplicates: true, gapsMax: 100_000, dropShare: 30),
        Course(latest: 3000, duplicates: false, gapsMax: 20, dropShare: 50),
        Course(latest: 0, duplicates: false, gapsMax: 1, dropShare: 95),
    ])
    func totalsAreExact(seed: UInt64, course: Course) {
        var random = SeededGenerator(seed: seed)
        let rings = 2, cpus = 2
        var tracker = LossTracker(
            rings: rings, cpus: cpus, attached: 0, mergeWithin: [0, 100 * millisecond].randomElement(using: &random)!,
            gapsMax: course.gapsMax)
        var taken = Array(repeating: UInt64(0), count: rings * cpus)
        var reconciled = taken
        var dropped = Array(repeating: [Int: UInt64](), count: rings * cpus)
        var arrivals: [(at: UInt64, stream: Int, sequence: UInt64, time: UInt64)] = []
        var received: [Set<UInt64>] = Array(repeating: [], count: rings * cpus)
        var duplicates: UInt64 = 0
        var wrong = 0
        var losses: [Loss] = []
        var now: UInt64 = second

        func arrive() {
            let ready = arrivals.filter { $0.at <= now }.sorted { $0.at < $1.at }
            arrivals.removeAll { $0.at <= now }
            for record in ready {
                let again = !received[record.stream].insert(record.sequence).inserted
                if again { duplicates += 1 }
                let said = tracker.observe(
                    ring: record.stream / cpus, cpu: record.stream % cpus, sequence: record.sequence, time: record.time, now: now)
                if again != (said == .duplicate) { wrong += 1 }
                if said == .recovered && course.latest < 500 && course.gapsMax > 1000 { wrong += 1 }
            }
        }
        func check() {
            for stream in taken.indices {
                let totals = tracker.totals(ring: stream / cpus, cpu: stream % cpus)
                let highest = received[stream].max().map { $0 + 1 } ?? 0
                if totals.received != received[stream].count { wrong += 1 }
                if totals.accounted != max(highest, reconciled[stream]) { wrong += 1 }
            }
        }

        for _ in 0..<2500 {
            now += UInt64.random(in: 0...(4 * millisecond), using: &random)
            let stream = Int.random(in: 0..<rings * cpus, using: &random)
            let sequence = taken[stream]
            taken[stream] += 1
            if Int.random(in: 0..<100, using: &random) < course.dropShare {
                dropped[stream][Int.random(in: 1...6, using: &random), default: 0] += 1
            } else {
                let late = Int.random(in: 0..<10, using: &random) == 0 ? UInt64.random(in: 0...course.latest, using: &random) : 0
                arrivals.append((now + late * millisecond, stream, sequence, now))
                if course.duplicates && Int.random(in: 0..<50, using: &random) == 0 {
                    arrivals.append((now + (late + 700) * millisecond, stream, sequence, now))
                }
            }
            arrive()
            let expire = Int.random(in: 0..<5, using: &random) == 0
            if expire || Int.random(in: 0..<10, using: &random) == 0 {
                for stream in taken.indices {
                    tracker.reconcile(
                        ring: stream / cpus, cpu: stream % cpus, counter: counter(taken[stream], dropped: dropped[stream]), now: now)
                    reconciled[stream] = taken[stream]
                }
            }
            if expire {
                for ring in 0..<rings { losses += tracker.expire(ring: ring, drainedTo: now) }
                check()
            }
        }
        now += 10 * second
        arrive()
        for stream in taken.indices {
            tracker.reconcile(ring: stream / cpus, cpu: stream % cpus, counter: counter(taken[stream], dropped: dropped[stream]), now: now)
            reconciled[stream] = taken[stream]
        }
        losses += tracker.finish()
        check()

        #expect(wrong == 0)
        let totals = tracker.totals
        let allDropped = dropped.reduce(0) { $0 + $1.values.reduce(0, +) }
        #expect(totals.lost - totals.recovered == allDropped, "what is missing for good is what the kernel dropped")
        #expect(totals.lost == losses.reduce(0) { $0 + $1.count }, "and all of it was told")
        #expect(totals.duplicates == duplicates)
        #expect(totals.open == 0 && totals.accounted == taken.reduce(0, +))
        for stream in taken.indices {
            let told = losses.filter { $0.ring == stream / cpus && $0.cpu == stream % cpus }
            #expect(told.allSatisfy { $0.from <= $0.to && $0.kinds.reduce(0, +) <= $0.count })
            let lost = tracker.totals(ring: stream / cpus, cpu: stream % cpus)
            for kind in 0..<8 where lost.recovered == 0 {
                #expect(told.reduce(0) { $0 + ($1.kinds.isEmpty ? 0 : $1.kinds[kind]) } == dropped[stream][kind, default: 0])
            }
        }
    }
}
