/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fills real rings with records as the monitor's programs write them, as fast as
 * BPF_PROG_TEST_RUN asks for them. One writer at a time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../../bpf/record.h"
#include "throughput.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring0 SEC(".maps"), ring1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TEMPLATES);
	__type(key, __u32);
	__type(value, struct template);
} templates SEC(".maps");

struct fill_state state;

static long emit(__u32 index, void *context)
{
	__u64 number = state.emitted++;
	__u32 key = number % TEMPLATES;
	__u32 ring = state.rings > 1 && (number & 1);
	struct template *template = bpf_map_lookup_elem(&templates, &key);
	struct hv_counter *counter = &state.counters[ring];
	struct hv_header *header;
	__u32 size;

	if (!template)
		return 1;
	size = template->size;
	if (size < sizeof(*header) || size > TEMPLATE_BYTES)
		return 1;
	header = (struct hv_header *)template->record;
	header->time = bpf_ktime_get_boot_ns();
	header->ring = ring;
	header->cpu = 0;
	header->sequence = counter->sequence++;
	if (ring ? bpf_ringbuf_output(&ring1, template->record, size, BPF_RB_NO_WAKEUP)
		 : bpf_ringbuf_output(&ring0, template->record, size, BPF_RB_NO_WAKEUP))
		counter->dropped[header->kind & (HV_KINDS_MAX - 1)]++;
	return 0;
}

SEC("raw_tp")
int fill(void *context)
{
	bpf_loop(state.wanted, emit, NULL, 0);
	return 0;
}
