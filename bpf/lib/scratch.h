/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a record is built before it goes out: a slot per CPU and nesting level.
 * A program may be preempted while it builds one (LSM programs from 5.12, all of
 * them on kernels with preemptible tracepoints) and another task may then run one
 * on the same CPU, so a slot is claimed by an atomic exchange and given back. Not
 * a per-CPU map: its values end at 32 KiB.
 *
 * The including file says how large its records get: HV_SCRATCH_RECORD (a power
 * of two) and HV_SCRATCH_LEVELS.
 */
#ifndef HV_SCRATCH_H
#define HV_SCRATCH_H

#include "maps.h"

#define HV_NAME_MAX 256

struct scratch {
	__u32 busy;
	__u32 used;  /* bytes of the record so far */
	__u32 key;   /* its own place in the map */
	__u32 reserved;
	/* State of a walk: see path.h. */
	__u32 walk_position;
	__u32 walk_flags;
	__u64 walk_start;  /* dentry whose path it is */
	__u64 walk_dentry; /* the next one */
	__u64 walk_mount;  /* which it lies on, and of that one: */
	__u64 walk_root, walk_below, walk_point;
	__u32 walk_inner_length;
	__u32 walk_crossed; /* the first mount's root is behind */
	/* A path is built backwards from the end of its first HV_PATH_MAX bytes; a name may reach HV_NAME_MAX beyond a masked position. */
	__u8 path[HV_PATH_MAX + HV_NAME_MAX];
	__u8 name[HV_NAME_MAX + 8];
	/* Any position below HV_SCRATCH_RECORD leaves room for one string. */
	__u8 record[HV_SCRATCH_RECORD + HV_SCRATCH_STRING];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HV_SCRATCH_LEVELS);
	__type(key, __u32);
	__type(value, struct scratch);
} SCRATCH_MAP SEC(".maps");

static __always_inline bool scratch_claim(struct scratch *slot)
{
#ifdef NO_FETCH
	/* Before 5.12 a program is not preempted; what nests on this CPU ends before we go on. */
	if (slot->busy)
		return false;
	slot->busy = 1;
	return true;
#else
	return __sync_val_compare_and_swap(&slot->busy, 0, 1) == 0;
#endif
}

/* A free slot of this CPU, or NULL when all levels are taken. */
static __always_inline struct scratch *scratch_get(void)
{
	__u32 first = bpf_get_smp_processor_id() * HV_SCRATCH_LEVELS;
#pragma unroll
	for (__u32 level = 0; level < HV_SCRATCH_LEVELS; level++) {
		__u32 key = first + level;
		struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);

		if (slot && scratch_claim(slot)) {
			slot->key = key;
			return slot;
		}
	}
	return NULL;
}

static __always_inline void scratch_put(struct scratch *slot)
{
	*(volatile __u32 *)&slot->busy = 0;
}

#endif
