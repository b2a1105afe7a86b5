/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How many events a cgroup may cause (limits.tenant_rate): one that floods must not fill the
 * rings that all share. Settled before a record is built and before it has a number: what
 * is suppressed leaves no gap, and is counted here, by cgroup and kind.
 */
#ifndef HV_TENANT_H
#define HV_TENANT_H

#include "ring.h"
#include "task.h"

#define HV_TENANT_TRIES 4

/*
 * Takes a token of the cgroup's bucket, which is kept as the time at which it will be full
 * again: each event puts that off by the time that one token takes to come back, and none may
 * put it off beyond the burst. Several CPUs may be at it. Where other CPUs win each try, and
 * before 5.12 at all, a token may be taken without being paid for.
 */
static __always_inline bool tenant_admits(struct hv_tenant *tenant)
{
	__u64 now = bpf_ktime_get_boot_ns();

#ifndef NO_FETCH
#pragma unroll
	for (int try = 0; try < HV_TENANT_TRIES; try++) {
#endif
		__u64 full = *(volatile __u64 *)&tenant->full_at, next = (full > now ? full : now) + settings.tenant_interval;

		if (next > now + settings.tenant_burst)
			return false;
#ifdef NO_FETCH
		*(volatile __u64 *)&tenant->full_at = next;
#else
		if (__sync_val_compare_and_swap(&tenant->full_at, full, next) == full)
			return true;
	}
#endif
	return true;
}

/*
 * Whether an event of this kind that a process of this cgroup causes is suppressed; if so it has
 * been counted. One that the table has no room for is not limited. A global function, for the
 * verifier, which walks it once.
 */
__noinline int throttled(__u64 cgroup, __u32 kind)
{
	struct hv_tenant *tenant, fresh = {};
	struct hv_counter *counter;

	if (!settings.tenant_interval || (bpf_get_current_pid_tgid() >> 32) == settings.own_pid)
		return false;
	tenant = bpf_map_lookup_elem(&hv_tenants, &cgroup);
	if (!tenant) {
		bpf_map_update_elem(&hv_tenants, &cgroup, &fresh, BPF_NOEXIST);
		tenant = bpf_map_lookup_elem(&hv_tenants, &cgroup);
		if (!tenant)
			return false;
	}
	if (tenant_admits(tenant))
		return false;
	count(&tenant->suppressed[kind & (HV_KINDS_MAX - 1)]);
	tenant->last = bpf_ktime_get_boot_ns();
	/* Tells user space to look at the table. */
	counter = ring_counter(ring_bulk());
	if (counter)
		count(&counter->throttled);
	return true;
}

static __always_inline bool throttled_task(struct task_struct *task, __u32 kind)
{
	return settings.tenant_interval && settings.shown_kinds & 1U << kind && throttled(task_cgroup_id(task), kind);
}

#endif
