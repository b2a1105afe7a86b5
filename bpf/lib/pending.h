/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Operations whose result is still to come, one for each task: its next takes the place of
 * one that never came to its result. A table of sets with a few ways, like the handles': a
 * look-up costs every operation of the kinds that are told so, a tenth of a hash's.
 */
#ifndef HV_PENDING_H
#define HV_PENDING_H

#include "scratch.h"

#define PENDING_WAYS 4
#define PENDING_SETS 1024

struct pending {
	__u64 task; /* address of the task_struct; 0: free */
	__u64 operation;
	__u64 leaving; /* the inode with an entry of its own (HV_WATCH_LINKED) that may lose its last name, or 0 */
	__u64 object;  /* the dentry it is about, 0 where only a name is known: a nested operation of an overlay's layer is about another */
	__u32 action;
	__u32 overlay; /* the object is an overlay's: the layer's own operation is the same one */
};
struct pending_set {
	struct pending ways[PENDING_WAYS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PENDING_SETS);
	__type(key, __u32);
	__type(value, struct pending_set);
} hv_file_pending SEC(".maps");

static __always_inline struct pending_set *pending_set_of(__u64 task)
{
	__u32 index = ((task >> 6) * 0x9e3779b97f4a7c15ULL >> 32) & (PENDING_SETS - 1);

	return bpf_map_lookup_elem(&hv_file_pending, &index);
}

/* The current task's, or NULL. */
static __always_inline struct pending *pending_find(void)
{
	__u64 task = bpf_get_current_task();
	struct pending_set *set = pending_set_of(task);

	if (!set)
		return NULL;
#pragma unroll
	for (int way = 0; way < PENDING_WAYS; way++)
		if (set->ways[way].task == task)
			return &set->ways[way];
	return NULL;
}

/* Takes a way over from what it is thought to hold. */
static __always_inline bool pending_take(struct pending *pending, __u64 from, __u64 task)
{
#ifdef NO_FETCH
	/* Before 5.12: of two CPUs that take one way at once one loses its result, which is told as unknown. */
	if (pending->task != from)
		return false;
	*(volatile __u64 *)&pending->task = task;
	return true;
#else
	return __sync_val_compare_and_swap(&pending->task, from, task) == from;
#endif
}

/* Where the current task's is to be kept: its own, a free way, or the oldest's. NULL: others were faster. */
static __noinline struct pending *pending_room(void)
{
	__u64 task = bpf_get_current_task();
	struct pending_set *set = pending_set_of(task);
	struct pending *oldest = NULL, *own = pending_find();

	if (own)
		return own;
	if (!set)
		return NULL;
	for (int way = 0; way < PENDING_WAYS; way++) {
		struct pending *pending = &set->ways[way];

		if (!pending->task && pending_take(pending, 0, task))
			return pending;
		if (!oldest || pending->operation < oldest->operation)
			oldest = pending;
	}
	return oldest && pending_take(oldest, oldest->task, task) ? oldest : NULL;
}

static __always_inline void pending_forget(struct pending *pending)
{
	*(volatile __u64 *)&pending->task = 0;
}

#endif
