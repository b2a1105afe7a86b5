/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Maps that every family shares. Each object declares them; the loader makes
 * them once and hands them to the other objects (bpf_map__reuse_fd). Sizes that
 * depend on the machine or the configuration are set by the loader.
 */
#ifndef HV_MAPS_H
#define HV_MAPS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "../record.h"

struct hv_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* Ring 0 is the priority ring, then the bulk rings. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, HV_RINGS_MAX);
	__type(key, __u32);
	__array(values, struct hv_ring);
} hv_rings SEC(".maps");

/* At cpu * HV_RINGS_MAX + ring; user space reads it through a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HV_RINGS_MAX);
	__type(key, __u32);
	__type(value, struct hv_counter);
} hv_counters SEC(".maps");

/* By cgroup id: what it may cause and what was suppressed; user space makes room in it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct hv_tenant);
} hv_tenants SEC(".maps");

/* A section of its own, so that the loader finds it without looking for an offset. */
const volatile struct hv_settings settings SEC(".rodata.settings") = {
	.bulk_rings = 1,
	.wake_bytes = 1 << 20,
	.report_every = 30000000000ULL,
	.failed_exec = 1,
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
