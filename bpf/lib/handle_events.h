/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What events tell of a handle (handles.h): who wrote, how often, and what file it is. */
#ifndef HV_HANDLE_EVENTS_H
#define HV_HANDLE_EVENTS_H

#include "handles.h"
#include "file_ways.h"

/* The file as its user has it: of a layer's file that an overlay opened for itself (6.7), the overlay's. */
static __noinline struct path *file_user_path(struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (watch_overlays.any && bpf_core_field_exists(backing->user_path) && BPF_CORE_READ(file, f_mode) & FMODE_BACKING &&
	    BPF_CORE_READ(backing, user_path.dentry, d_sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
		return (void *)backing + bpf_core_field_offset(struct backing_file, user_path);
	return (void *)file + bpf_core_field_offset(struct file, f_path);
}

/* Of a handle whose name is an overlay's, the layer's own. */
static __noinline struct dentry *layer_dentry(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct dentry *alias;

	if (BPF_CORE_READ(dentry, d_inode) == inode)
		return dentry;
	alias = inode_alias(inode);
	return alias ? alias : dentry;
}

static __noinline __u64 judge_overlaid(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file_user_path(file), dentry);

	return judge_object(BPF_CORE_READ(dentry, d_inode), dentry);
}

/* Whether its inode is a layer's and its name, or its user's name for it, an overlay's. */
static __always_inline bool file_is_layered(struct file *file)
{
	return BPF_CORE_READ(file_user_path(file), dentry, d_inode) != BPF_CORE_READ(file, f_inode);
}

/* Whether it may be a layer's, which an overlay opened for its own file. Typed. */
static __always_inline bool file_is_layers(struct file *file, struct inode *inode)
{
	return file->f_path.dentry->d_inode != inode || (watch_overlays.any && file->f_mode & FMODE_BACKING);
}

/* Whether the overlay whose layer's file this is holds entries. Typed. */
static __always_inline bool file_overlay_has_entries(struct file *file)
{
	if (file->f_mode & FMODE_BACKING)
		return overlay_has_entries(BPF_CORE_READ(file_user_path((void *)address_number(file)), dentry, d_sb, s_dev));
	return overlay_has_entries(file->f_path.dentry->d_sb->s_dev);
}

/* In what way the current task changes a file. */
static __noinline __u32 via_of_call(__u32 number, __u32 task_flags)
{
	if (task_flags & PF_IO_WORKER)
		return HV_VIA_IO_URING;
	if (task_flags & PF_KTHREAD)
		return HV_VIA_KERNEL;
	return way_of_call(number, syscall_is_compat());
}

/* What an event of a handle's author tells of the writes. */
static __always_inline struct scratch *write_begin(struct handle *handle, __u32 flags)
{
	struct scratch *slot = record_begin_of(handle->actor.cgroup, HV_FILE_WRITE, (__u64)handle->watch << 32 | handle->policy);
	struct hv_file *record;

	if (!slot)
		return NULL;
	record = (void *)slot->record;
	record->header.flags |= flags | handle->flags;
	record->actor = handle->actor;
	record->operations = handle->operations;
	record->size_before = handle->size_before;
	record->via = handle->via;
	record->value = handle->bytes;
	record->first = handle->first;
	record->last = handle->first;
	/* How long a tick is, these two clocks tell. */
	if (handle->last > handle->first_tick) {
		__u64 now = record->header.time, tick = bpf_jiffies64();

		record->last = now - (now - handle->first) / (tick - handle->first_tick) * (tick - handle->last);
	}
	if (handle->state & HANDLE_CLAIMED) {
		struct claim_key claim = { .file = handle->file, .pid = handle->pid, .exec = handle->exec };
		__u64 *more = bpf_map_lookup_elem(&hv_claims, &claim);

		if (more)
			record->operations += *more;
	}
	return slot;
}

/* What was written to. */
static __always_inline void put_written(struct scratch *slot, struct file *file, struct handle *handle)
{
	struct hv_file *record = (void *)slot->record;
	struct path *path = file_user_path(file);
	struct dentry *dentry = BPF_CORE_READ(path, dentry);
	struct vfsmount *mount = BPF_CORE_READ(path, mnt);

	if (handle->state & HANDLE_LAYER && BPF_CORE_READ(dentry, d_inode) != BPF_CORE_READ(file, f_inode)) {
		/* What is watched is the layer's file, whose name is another one. */
		dentry = layer_dentry(file);
		mount = NULL;
	}
	object_fill(&record->object, BPF_CORE_READ(dentry, d_inode));
	put_paths(slot, dentry, mount, HV_FILE_INNER);
}

static __noinline int write_report(struct file *file, struct handle *handle, __u32 flags)
{
	struct scratch *slot;
	struct hv_file *record;

	if (!handle)
		return 0;
	slot = write_begin(handle, flags);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	/* Of one that was not seen to be closed the address may be another file's by now. */
	if (handle_is_of(handle, BPF_CORE_READ(file, f_inode), false)) {
		put_written(slot, file, handle);
	} else {
		record->object.inode = handle->key.inode;
		record->object.device = handle->key.device;
		record->object.generation = handle->key.generation;
		record->strings[HV_FILE_INNER].flags = HV_STRING_FAULT;
	}
	record_send(slot);
	return 0;
}

/* The same of a typed file, where its name is no overlay's. */
static __noinline int write_report_typed(struct file *file, struct handle *handle, __u32 flags)
{
	struct inode *inode = file->f_inode;
	struct scratch *slot;
	struct hv_file *record;

	if (!handle)
		return 0;
	if (file_is_layers(file, inode) || !handle_is_of(handle, inode, true))
		return write_report(file, handle, flags);
	slot = write_begin(handle, flags);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	object_fill_typed(&record->object, inode);
	put_paths_typed(slot, file->f_path.dentry, file->f_path.mnt, HV_FILE_INNER);
	record_send(slot);
	return 0;
}

/* One write call, as an event of its own. `bytes` of it lie at `offset`; all ones: not known. */
static __noinline int write_each(struct file *file, struct handle *handle, __u64 bytes, __u64 offset)
{
	struct scratch *slot;
	struct hv_file *record;

	if (!handle)
		return 0;
	slot = write_begin(handle, HV_FILE_OPEN | HV_FILE_BYTES | (offset != ~0ULL ? HV_FILE_OFFSET : 0));
	if (!slot)
		return 0;
	record = (void *)slot->record;
	/* Else its end is told by another context. */
	if (handle->pid == bpf_get_current_pid_tgid() >> 32) {
		record->actor.tid = bpf_get_current_pid_tgid();
		record->via = via_of_call(current_call(), TASK_READ(current_task(), flags));
	}
	record->operations = 1;
	record->size_before = ~0ULL;
	record->first = record->last = record->header.time;
	record->value = bytes;
	record->value_2 = offset;
	put_written(slot, file, handle);
	record_send(slot);
	return 0;
}

#endif
