/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sending: sequence, ring, wake-up, and the account of what did not get in. */
#ifndef HV_RING_H
#define HV_RING_H

#include "scratch.h"

#define HV_RING_PRIORITY 0

static __always_inline __u32 ring_bulk(void)
{
	return 1 + bpf_get_smp_processor_id() % settings.bulk_rings;
}

static __always_inline struct hv_counter *ring_counter(__u32 ring)
{
	__u32 key = bpf_get_smp_processor_id() * HV_RINGS_MAX + ring;

	return bpf_map_lookup_elem(&hv_counters, &key);
}

/* Adds one and gives what was there. Before 5.12 a program is not preempted, and an object with a fetching atomic does not load. */
static __always_inline __u64 count(__u64 *counter)
{
#ifdef NO_FETCH
	return (*counter)++;
#else
	return __sync_fetch_and_add(counter, 1);
#endif
}

/* Takes one off, and never the last one twice. */
static __always_inline void uncount(__u64 *counter)
{
	if (!*counter)
		return;
#ifdef NO_FETCH
	(*counter)--;
#else
	__sync_fetch_and_sub(counter, 1);
#endif
}

/* A record that could not even be built: it takes a number, so that its absence is seen. */
static __always_inline void ring_no_scratch(__u32 ring, __u32 kind)
{
	struct hv_counter *counter = ring_counter(ring);

	if (!counter)
		return;
	count(&counter->sequence);
	count(&counter->dropped[kind & (HV_KINDS_MAX - 1)]);
	count(&counter->no_scratch);
}

static __always_inline void header_begin(struct hv_header *header, __u32 kind)
{
	header->kind = kind;
	header->flags = 0;
	header->time = bpf_ktime_get_boot_ns();
	header->reserved = 0;
}

/*
 * Sends `size` bytes from `record`, which starts with a header. The number is
 * taken last, after all string work, so that few records overtake each other.
 * A bulk record wakes nobody until its ring is filled beyond settings.wake_bytes,
 * and then only those that come within 64 KiB of it; a precious one always wakes.
 * False: it did not get in, and is counted.
 */
static __always_inline bool ring_send(__u32 ring, struct hv_header *record, __u32 size)
{
	struct hv_counter *counter = ring_counter(ring);
	void *map = bpf_map_lookup_elem(&hv_rings, &ring);
	__u64 flags = BPF_RB_FORCE_WAKEUP;

	if (!counter || !map)
		return false;
	if (ring != HV_RING_PRIORITY) {
		__u64 fill = bpf_ringbuf_query(map, BPF_RB_AVAIL_DATA);

		if (fill + size + 8 < settings.wake_bytes || fill >= settings.wake_bytes + 65536)
			flags = BPF_RB_NO_WAKEUP;
	}
	record->size = size;
	record->ring = ring;
	record->cpu = bpf_get_smp_processor_id();
	record->sequence = count(&counter->sequence);
	if (bpf_ringbuf_output(map, record, size, flags)) {
		count(&counter->dropped[record->kind & (HV_KINDS_MAX - 1)]);
		return false;
	}
	return true;
}

#endif
