internal import CLibbpf
package import KernelABI

extension RingMaps {
    /// Reads the kernel's table of cgroups and what was suppressed of each.
    ///
    /// Where it is nearly full, those that have caused nothing for a minute make room.
    ///
    /// - Parameters:
    ///   - now: CLOCK_BOOTTIME in ns.
    ///   - forgotten: gets the cgroups that made room, after their entries.
    package func readTenants(now: UInt64, _ body: (_ cgroup: UInt64, _ tenant: hv_tenant) -> Void, forgotten: (_ cgroup: UInt64) -> Void) {
        var key: UInt64 = 0, next: UInt64 = 0, tenant = hv_tenant()
        var idle: [UInt64] = []
        var count = 0
        var result = bpf_map_get_next_key(tenants, nil, &next)
        // An entry that comes meanwhile may lead back to the start: no more rounds than there are entries, twice.
        while result == 0, count < 2 * tenantsMax {
            key = next
            count += 1
            if bpf_map_lookup_elem(tenants, &key, &tenant) == 0 {
                body(key, tenant)
                if tenant.full_at &+ Self.tenantIdle < now { idle.append(key) }
            }
            result = bpf_map_get_next_key(tenants, &key, &next)
        }
        guard count * 4 > tenantsMax * 3 else { return }
        for var cgroup in idle where bpf_map_delete_elem(tenants, &cgroup) == 0 { forgotten(cgroup) }
    }

    private static let tenantIdle: UInt64 = 60_000_000_000
}
