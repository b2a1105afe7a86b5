public import KernelABI

/// Events of one kind that the kernel suppressed because their cgroup caused more than it may (`limits.tenant_rate`).
/// They never had a number, so there is no gap.
public struct Throttling: Sendable, Equatable {
    public var cgroup: UInt64
    /// An `hv_kind`.
    public var kind: UInt32
    public var count: UInt64
    /// When reading of the table began the time before, or the programs were attached, and when the last one was suppressed;
    /// CLOCK_BOOTTIME, ns.
    public var from: UInt64
    public var to: UInt64

    public init(cgroup: UInt64, kind: UInt32, count: UInt64, from: UInt64, to: UInt64) {
        self.cgroup = cgroup
        self.kind = kind
        self.count = count
        self.from = from
        self.to = to
    }
}

/// Makes losses of what the kernel's table of cgroups says was suppressed.
///
/// Use: `begin`, `update` with each entry of the table, and `forget` for those that were removed from it.
public struct ThrottleTracker: Sendable {
    /// By cgroup, what was told of each kind.
    private var told: [UInt64: [UInt64]] = [:]
    private var seen: UInt64 = 0
    /// When this reading and the one before it began: what has not been told happened since that.
    private var began: UInt64
    private var since: UInt64

    /// - Parameter attached: CLOCK_BOOTTIME in ns; what is suppressed is counted from there.
    public init(attached: UInt64) { (began, since) = (attached, attached) }

    /// Whether the table is worth reading: the kernel suppressed something since it was.
    ///
    /// - Parameter throttled: the sum of `hv_counter.throttled` over all rings and CPUs.
    public func isDue(throttled: UInt64) -> Bool { throttled != seen }

    /// The table is about to be read.
    public mutating func begin(throttled: UInt64, now: UInt64) {
        seen = throttled
        since = began
        began = now
    }

    /// Notes an entry of the table.
    ///
    /// - Returns: what has not been told yet, kind by kind.
    public mutating func update(cgroup: UInt64, _ tenant: hv_tenant) -> [Throttling] {
        let suppressed = withUnsafeBytes(of: tenant.suppressed) { Array($0.bindMemory(to: UInt64.self)) }
        let before = told[cgroup] ?? Array(repeating: 0, count: suppressed.count)
        guard suppressed != before else { return [] }
        told[cgroup] = suppressed
        return suppressed.indices.filter { suppressed[$0] > before[$0] }.map { kind in
            Throttling(
                cgroup: cgroup, kind: UInt32(kind), count: suppressed[kind] - before[kind], from: min(since, tenant.last), to: tenant.last)
        }
    }

    /// An entry was removed from the table; the cgroup's next one begins at 0.
    public mutating func forget(cgroup: UInt64) { told[cgroup] = nil }
}
