import Rings
import Testing

@Suite struct MissTrackerTests {
    @Test func increasesAreLosses() {
        var tracker = MissTracker()
        tracker.add(program: 7, kind: "exec", attached: 100)
        tracker.add(program: 8, kind: "file", attached: 100)
        #expect(tracker.update(program: 7, misses: 0, now: 200) == nil)
        #expect(tracker.update(program: 7, misses: 5, now: 300) == Miss(program: 7, kind: "exec", count: 5, from: 200, to: 300))
        #expect(tracker.update(program: 7, misses: 5, now: 400) == nil)
        #expect(tracker.update(program: 8, misses: 2, now: 400) == Miss(program: 8, kind: "file", count: 2, from: 100, to: 400))
        #expect(tracker.update(program: 7, misses: 6, now: 500) == Miss(program: 7, kind: "exec", count: 1, from: 400, to: 500))
        #expect(tracker.update(program: 9, misses: 6, now: 500) == nil, "not one of ours")
        #expect(tracker.total == 8)
    }
}
