/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What both attach styles of the file family do with a change that hit the watch set. */
#ifndef HV_FILE_H
#define HV_FILE_H

#define SCRATCH_MAP hv_scratch_file
#define HV_SCRATCH_RECORD 32768
#define HV_SCRATCH_STRING 4096
#define HV_SCRATCH_LEVELS 8
#include "ring.h"
#include "task.h"
#include "path.h"
#include "watch.h"

#define RENAME_EXCHANGE 2 /* include/uapi/linux/fs.h */

/*
 * Handles through which a watched file was changed. A handle that several
 * processes write through has one author a slot; the last slot takes all further
 * ones. The address is used again once the file is freed: an entry is believed
 * only while the inode is the one it was made for.
 */
#define HV_AUTHORS 4
struct handle_key {
	__u64 file;
	__u32 author;
	__u32 reserved;
};
struct handle {
	struct hv_actor actor;
	struct hv_inode_key key;
	__u64 operations, size_before, first, last, reported;
	__u32 watch, policy;
	__u32 flags; /* HV_FILE_IO_URING */
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct handle_key);
	__type(value, struct handle);
} hv_handles SEC(".maps");

/* Processes that changed a watched file; for the tracepoint style, which has no hook at the last close. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} hv_writers SEC(".maps");

/* Operations whose result is still to come, by task. Overwritten by the task's next. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} hv_file_pending SEC(".maps");

/* This program's own files are no news, the canary's apart. */
static __always_inline bool own_act(__u64 word)
{
	return (bpf_get_current_pid_tgid() >> 32) == settings.own_pid && !(WATCH_POLICY(word) & HV_WATCH_CANARY);
}

static __always_inline __u32 flags_of(__u64 word)
{
	__u32 flags = 0;

	if (WATCH_POLICY(word) & HV_WATCH_CHILDREN)
		flags |= HV_FILE_REFINE;
	if (WATCH_POLICY(word) & HV_WATCH_CANARY)
		flags |= HV_FILE_CANARY;
	return flags;
}

static __noinline struct scratch *record_begin(__u32 action, __u64 word)
{
	struct scratch *slot = scratch_get();
	struct hv_file *record;

	if (!slot) {
		ring_no_scratch(ring_bulk(), HV_KIND_FILE);
		return NULL;
	}
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	__builtin_memset(record, 0, sizeof(*record));
	header_begin(&record->header, HV_KIND_FILE);
	record->header.flags = flags_of(word);
	record->action = action;
	record->watch = WATCH_ENTRY(word);
	return slot;
}

static __always_inline void actor_is_current(struct hv_file *record)
{
	actor_fill(&record->actor, current_task());
	if (record->actor.task_flags & PF_IO_WORKER)
		record->header.flags |= HV_FILE_IO_URING;
}

static __always_inline bool record_send(struct scratch *slot)
{
	struct hv_file *record = (void *)slot->record;
	bool sent = ring_send(ring_bulk(), &record->header, slot->used & (HV_SCRATCH_RECORD - 1));

	scratch_put(slot);
	return sent;
}

static __always_inline void put_paths(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner)
{
	struct hv_file *record = (void *)slot->record;

	record->strings[inner] = put_path_inner(slot, dentry);
	record->strings[inner + 1] = put_path_mounted(slot, dentry, mount);
}

static __noinline int file_created(struct file *file, __u64 word)
{
	struct scratch *slot;
	struct hv_file *record;

	if (own_act(word))
		return 0;
	slot = record_begin(HV_FILE_CREATE, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	object_fill(&record->object, BPF_CORE_READ(file, f_inode));
	put_paths(slot, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt), HV_FILE_INNER);
	record_send(slot);
	return 0;
}

/* The file as its user has it: of a layer's file that an overlay opened for itself (6.7), the overlay's. */
static __noinline struct path *file_user_path(struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (watch_overlays && bpf_core_field_exists(backing->user_path) && BPF_CORE_READ(file, f_mode) & FMODE_BACKING &&
	    BPF_CORE_READ(backing, user_path.dentry, d_sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
		return (void *)backing + bpf_core_field_offset(struct backing_file, user_path);
	return (void *)file + bpf_core_field_offset(struct file, f_path);
}

static __noinline __u64 judge_overlaid(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file_user_path(file), dentry);

	return judge_object(BPF_CORE_READ(dentry, d_inode), dentry);
}

/* One event of a handle's author; `handle` is in the table. */
static __noinline int write_report(struct file *file, struct handle *handle, __u32 flags)
{
	struct scratch *slot;
	struct path *path;
	struct hv_file *record;

	if (!handle)
		return 0;
	slot = record_begin(HV_FILE_WRITE, (__u64)handle->watch << 32 | handle->policy);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	record->header.flags |= flags | handle->flags;
	record->actor = handle->actor;
	path = file_user_path(file);
	/* Of the name that is reported: under an overlay f_inode is the layer's. */
	object_fill(&record->object, BPF_CORE_READ(path, dentry, d_inode));
	record->operations = handle->operations;
	record->size_before = handle->size_before;
	record->first = handle->first;
	record->last = handle->last;
	put_paths(slot, BPF_CORE_READ(path, dentry), BPF_CORE_READ(path, mnt), HV_FILE_INNER);
	record_send(slot);
	return 0;
}

static __always_inline bool handle_is_of(struct handle *handle, struct hv_inode_key *key)
{
	return handle->key.inode == key->inode && handle->key.device == key->device && handle->key.generation == key->generation;
}

/*
 * A change of a watched file through a handle. `after`: the hook runs after the
 * change, so that the size before it is not known.
 */
static __noinline int file_changed(struct file *file, __u64 word, bool after)
{
	struct task_struct *task = current_task();
	struct handle_key key = { .file = (__u64)file };
	struct hv_inode_key inode = {};
	struct handle fresh = {};
	struct handle *handle = NULL;
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (own_act(word))
		return 0;
	inode_key(&inode, BPF_CORE_READ(file, f_inode));
	for (int author = 0; author < HV_AUTHORS; author++) {
		key.author = author;
		handle = bpf_map_lookup_elem(&hv_handles, &key);
		if (!handle || !handle_is_of(handle, &inode))
			break;
		if (handle->actor.pid == pid || author == HV_AUTHORS - 1) {
			count(&handle->operations);
			handle->last = now;
			if (now - handle->reported >= settings.report_every) {
				handle->reported = now;
				write_report(file, handle, HV_FILE_OPEN);
			}
			return 0;
		}
	}
	actor_fill(&fresh.actor, task);
	fresh.key = inode;
	fresh.operations = 1;
	fresh.size_before = after ? ~0ULL : (__u64)BPF_CORE_READ(file, f_inode, i_size);
	fresh.first = fresh.last = fresh.reported = now;
	fresh.watch = WATCH_ENTRY(word);
	fresh.policy = WATCH_POLICY(word);
	fresh.flags = fresh.actor.task_flags & PF_IO_WORKER ? HV_FILE_IO_URING : 0;
	/* A full table costs the totals, not the event. */
	bpf_map_update_elem(&hv_handles, &key, &fresh, BPF_ANY);
	if (settings.file_operations & HV_OPERATION_CLOSE)
		bpf_map_update_elem(&hv_writers, &pid, &pid, BPF_ANY);
	return write_report(file, &fresh, HV_FILE_OPEN);
}

/* f_count is an atomic_long_t, from 6.12 a file_ref_t that counts one less (include/linux/file_ref.h). */
static __always_inline long file_references(struct file *file)
{
	struct file___before_6_12 *old = (void *)file;

	if (bpf_core_field_exists(old->f_count))
		return BPF_CORE_READ(old, f_count.counter);
	return BPF_CORE_READ(file, f_ref.refcnt.counter) + 1;
}

/* The handle goes: each author's totals. May run in a worker; the actors are those stored. */
static __noinline int file_closed(struct file *file)
{
	struct handle_key key = { .file = (__u64)file };
	struct hv_inode_key inode = {};

	inode_key(&inode, BPF_CORE_READ(file, f_inode));
	for (int author = 0; author < HV_AUTHORS; author++) {
		struct handle *handle;

		key.author = author;
		handle = bpf_map_lookup_elem(&hv_handles, &key);
		if (!handle)
			break;
		if (handle_is_of(handle, &inode))
			write_report(file, handle, HV_FILE_CLOSED);
		bpf_map_delete_elem(&hv_handles, &key);
	}
	return 0;
}

/* A descriptor of the handle goes; whether it was the last one, its count of references tells. */
static __noinline int handle_maybe_closed(struct file *file)
{
	struct handle_key key = { .file = (__u64)file };

	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) || !bpf_map_lookup_elem(&hv_handles, &key))
		return 0;
	return file_references(file) <= 1 ? file_closed(file) : 0;
}

/* Sends a record whose result comes later, and remembers that it does. */
static __always_inline void send_pending(struct scratch *slot)
{
	struct hv_file *record = (void *)slot->record;
	__u64 task = (__u64)current_task();
	__u64 operation = record->header.time;

	record->operation = operation;
	record->header.flags |= HV_FILE_PENDING;
	if (record_send(slot))
		bpf_map_update_elem(&hv_file_pending, &task, &operation, BPF_ANY);
}

static __noinline int result_of_pending(int error)
{
	__u64 task = (__u64)current_task();
	__u64 *operation = bpf_map_lookup_elem(&hv_file_pending, &task);
	struct hv_result result = {};

	if (!operation)
		return 0;
	result.operation = *operation;
	bpf_map_delete_elem(&hv_file_pending, &task);
	header_begin(&result.header, HV_KIND_RESULT);
	result.tid = bpf_get_current_pid_tgid();
	result.error = error;
	ring_send(ring_bulk(), &result.header, sizeof(result));
	return 0;
}

/* A name has got another parent: what was kept of its object no longer holds. */
static __noinline void name_moved(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct hv_inode_key key = {};

	if (!inode)
		return;
	if ((BPF_CORE_READ(inode, i_mode) & 0170000) == 0040000) {
		/* All below it has other ancestors now. */
		count(&watch_epoch);
		return;
	}
	inode_key(&key, inode);
	verdict_drop(&key);
}

static __always_inline int rename_report(struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new, __u64 word,
					__u32 flags)
{
	struct scratch *slot = record_begin(HV_FILE_RENAME, word);
	struct hv_file *record;
	struct inode *victim;

	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	object_fill(&record->object, BPF_CORE_READ(old, d_inode));
	if (flags & RENAME_EXCHANGE)
		record->header.flags |= HV_FILE_EXCHANGE;
	victim = BPF_CORE_READ(new, d_inode);
	if (victim)
		object_fill(&record->target, victim);
	put_paths(slot, old, BPF_CORE_READ(old_dir, mnt), HV_FILE_INNER);
	put_paths(slot, new, BPF_CORE_READ(new_dir, mnt), HV_FILE_TARGET_INNER);
	/* A name that is not there yet is not one that was removed. */
	record->strings[HV_FILE_TARGET_INNER].flags &= ~HV_STRING_DELETED;
	record->strings[HV_FILE_TARGET_ACTOR].flags &= ~HV_STRING_DELETED;
	send_pending(slot);
	return 0;
}

static __noinline int unlink_report(struct path *dir, struct dentry *dentry, __u64 word)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct scratch *slot;
	struct hv_file *record;

	slot = record_begin(HV_FILE_DELETE, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	object_fill(&record->object, inode);
	put_paths(slot, dentry, BPF_CORE_READ(dir, mnt), HV_FILE_INNER);
	send_pending(slot);
	return 0;
}

#endif
