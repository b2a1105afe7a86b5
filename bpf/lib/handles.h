/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Handles through which a watched file was changed: one entry for each process that
 * writes through one (an inherited or passed handle has several authors), so that
 * many writes are two events. A table of sets with a few ways each, by the address of
 * the struct file: a write finds its entry without a call. An address is used again
 * once its file is freed: an entry is believed only while the inode is the one it was
 * made for.
 */
#ifndef HV_HANDLES_H
#define HV_HANDLES_H

#include "file.h"

#define HV_WAYS 4

struct handle {
	/* What a further write looks at. */
	__u64 file;
	__u32 pid;
	__u32 exec;     /* low half of task_struct.self_exec_id: after an exec it is another author */
	__u64 operations;
	__u64 last;     /* jiffies: a clock that a write can afford */
	__u32 call;     /* system call of the last change, to see whether it came another way */
	__u32 via;      /* HV_VIA_* */
	__u64 identity; /* of the inode (inode_identity) */
	/* The rest. */
	struct hv_inode_key key;
	__u64 first, reported; /* CLOCK_BOOTTIME */
	__u64 first_tick;      /* `first` in jiffies */
	__u64 size_before;
	__u32 watch, policy;
	__u32 flags;    /* HV_FILE_IO_URING */
	__u32 state;    /* HANDLE_* */
	__u32 waits;    /* files.detail: the first event waits for the bytes of its write */
	__u32 reserved;
	__u64 bytes;    /* written so far by calls that tell how many */
	struct hv_actor actor;
};
#define HANDLE_LAYER 1   /* the watch set decided by the layer's name, not the overlay's */
#define HANDLE_CLAIMED 2 /* in hv_claims */

struct handle_set {
	struct handle ways[HV_WAYS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct handle_set);
} hv_handles SEC(".maps");

/* Who has or is making an entry, so that two threads of a process don't make one each: operations that came meanwhile. */
struct claim_key {
	__u64 file;
	__u32 pid;
	__u32 exec;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct claim_key);
	__type(value, __u64);
} hv_claims SEC(".maps");

/* Processes that changed a watched file; for the tracepoint style, which has no hook at the last close. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} hv_writers SEC(".maps");

/* By the place in a slab of files, 256 bytes or less apart, and the slab: which is spread enough, and paid by each close. */
static __always_inline struct handle_set *handle_set_of(__u64 file)
{
	__u32 index = address_bits(file) >> 8 & settings.handle_mask;

	return bpf_map_lookup_elem(&hv_handles, &index);
}

static __always_inline bool handle_is_of(const struct handle *handle, struct inode *inode, const bool typed)
{
	return handle->key.inode == FIELD(typed, inode, i_ino) && handle->key.generation == FIELD(typed, inode, i_generation) &&
	       handle->key.device == FIELD(typed, inode, i_sb, s_dev);
}

#define HANDLE_BUSY 1ULL /* in place of an address: it is being filled */

/* Takes a way over from what it is thought to hold. */
static __always_inline bool handle_take(struct handle *handle, __u64 from)
{
#ifdef NO_FETCH
	/* Before 5.12: two CPUs that take one way at once, each for a set's new handle, cost one of them its totals. */
	if (handle->file != from)
		return false;
	*(volatile __u64 *)&handle->file = HANDLE_BUSY;
	return true;
#else
	return __sync_val_compare_and_swap(&handle->file, from, HANDLE_BUSY) == from;
#endif
}

static __always_inline void handle_forget(struct handle *handle)
{
	if (handle->state & HANDLE_CLAIMED) {
		struct claim_key claim = { .file = handle->file, .pid = handle->pid, .exec = handle->exec };

		bpf_map_delete_elem(&hv_claims, &claim);
	}
	*(volatile __u64 *)&handle->file = 0;
}

#endif
