import KernelABI
import Rings
import Testing

@Suite struct ThrottleTrackerTests {
    private func tenant(_ suppressed: [UInt32: UInt64], last: UInt64) -> hv_tenant {
        var tenant = hv_tenant()
        tenant.last = last
        withUnsafeMutableBytes(of: &tenant.suppressed) { bytes in
            for (kind, count) in suppressed { bytes.storeBytes(of: count, toByteOffset: Int(kind) * 8, as: UInt64.self) }
        }
        return tenant
    }

    @Test func increasesAreToldOnceByCgroupAndKind() {
        let (exec, file) = (HV_KIND_EXEC.rawValue, HV_KIND_FILE.rawValue)
        var tracker = ThrottleTracker(attached: 100)
        #expect(!tracker.isDue(throttled: 0))
        #expect(tracker.isDue(throttled: 7))
        tracker.begin(throttled: 7, now: 200)
        #expect(tracker.update(cgroup: 1, tenant([:], last: 0)) == [])
        #expect(
            tracker.update(cgroup: 2, tenant([exec: 3, file: 4], last: 150))
                == [
                    Throttling(cgroup: 2, kind: exec, count: 3, from: 100, to: 150), Throttling(cgroup: 2, kind: file, count: 4, from: 100, to: 150),
                ])
        #expect(!tracker.isDue(throttled: 7))
        tracker.begin(throttled: 9, now: 300)
        #expect(tracker.update(cgroup: 2, tenant([exec: 3, file: 5], last: 250)) == [Throttling(cgroup: 2, kind: file, count: 1, from: 200, to: 250)])
        // Seen a second time in one reading.
        #expect(tracker.update(cgroup: 2, tenant([exec: 3, file: 5], last: 250)) == [])
        #expect(tracker.update(cgroup: 1, tenant([file: 1], last: 290)) == [Throttling(cgroup: 1, kind: file, count: 1, from: 200, to: 290)])
    }

    @Test func anEntryThatCameBackBeginsAnew() {
        let file = HV_KIND_FILE.rawValue
        var tracker = ThrottleTracker(attached: 0)
        tracker.begin(throttled: 5, now: 10)
        #expect(tracker.update(cgroup: 3, tenant([file: 5], last: 9)).map(\.count) == [5])
        tracker.forget(cgroup: 3)
        tracker.begin(throttled: 7, now: 20)
        #expect(tracker.update(cgroup: 3, tenant([file: 2], last: 15)) == [Throttling(cgroup: 3, kind: file, count: 2, from: 10, to: 15)])
    }
}
