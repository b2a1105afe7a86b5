/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records of the file family: begun, filled and sent, and the results of those that come before the act. */
#ifndef HV_FILE_H
#define HV_FILE_H

#define SCRATCH_MAP hv_scratch_file
#define HV_SCRATCH_RECORD 32768
#define HV_SCRATCH_STRING 4096
#define HV_SCRATCH_LEVELS 8
#include "ring.h"
#include "task.h"
#include "path.h"
#include "tenant.h"
#include "watch.h"
#include "folder.h"
#include "pending.h"

/* This program's own files are no news, the canary's apart; nor is an action that the entry does not want. */
static __always_inline bool own_act(void)
{
	return (bpf_get_current_pid_tgid() >> 32) == settings.own_pid;
}

static __always_inline bool unwanted(__u64 word, __u32 action)
{
	if (WATCH_POLICY(word) & HV_WATCH_UNWANTED(action))
		return true;
	return own_act() && !canary_acts;
}

static __always_inline __u32 flags_of(__u64 word)
{
	__u32 flags = 0;

	if (WATCH_POLICY(word) & HV_WATCH_CHILDREN)
		flags |= HV_FILE_REFINE;
	if (WATCH_POLICY(word) & HV_WATCH_CANARY || own_act())
		flags |= HV_FILE_CANARY;
	return flags;
}

/* NULL: no room, or the cgroup that causes it has caused too many; either is counted. */
static __noinline struct scratch *record_begin_of(__u64 cgroup, __u32 action, __u64 word)
{
	struct scratch *slot;
	struct hv_file *record;

	if (throttled(cgroup, HV_KIND_FILE))
		return NULL;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring_bulk(), HV_KIND_FILE);
		return NULL;
	}
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	__builtin_memset((void *)record + sizeof(record->header) + sizeof(record->actor), 0, sizeof(*record) - sizeof(record->header) - sizeof(record->actor));
	header_begin(&record->header, HV_KIND_FILE);
	record->header.flags = flags_of(word);
	record->action = action;
	record->watch = WATCH_ENTRY(word);
	return slot;
}

/* The same of what the current task does. */
static __always_inline struct scratch *record_begin(__u32 action, __u64 word)
{
	return record_begin_of(settings.tenant_interval ? task_cgroup_id(current_task()) : 0, action, word);
}

static __always_inline void actor_is_current(struct hv_file *record)
{
	actor_fill(&record->actor, current_task());
	if (record->actor.task_flags & PF_IO_WORKER) {
		record->header.flags |= HV_FILE_IO_URING;
		record->via = HV_VIA_IO_URING;
	}
}

static __always_inline bool record_send(struct scratch *slot)
{
	struct hv_file *record = (void *)slot->record;
	bool sent = ring_send(ring_bulk(), &record->header, slot->used & (HV_SCRATCH_RECORD - 1));

	scratch_put(slot);
	return sent;
}

/*
 * Both paths of what the slot has begun to walk, on walk_mount, or 0; mostly one is the end of
 * the other, and then one walk and one copy do. A global function, for the verifier.
 */
__noinline int put_both(__u32 key, __u32 inner)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);
	struct hv_file *record;
	__u64 mount;

	if (!slot)
		return 0;
	record = (void *)slot->record;
	inner &= 2; /* HV_FILE_INNER or HV_FILE_TARGET_INNER */
	mount = slot->walk_mount;
	if (mount) {
		walk_mounted(key);
		if (slot->walk_inner_length) {
			struct hv_string whole = walk_put(slot);

			record->strings[inner + 1] = whole;
			record->strings[inner] = string_slot(slot->walk_inner_length, HV_STRING_SUFFIX | (whole.flags & HV_STRING_DELETED));
			return 0;
		}
		walk_begin(slot, (void *)slot->walk_start);
	}
	walk_inner(key);
	record->strings[inner] = walk_put(slot);
	if (mount) {
		walk_begin(slot, (void *)slot->walk_start);
		slot->walk_mount = mount;
		walk_mounted(key);
		record->strings[inner + 1] = walk_put(slot);
	}
	return 0;
}

/* Of typed pointers. */
static __noinline void put_paths_typed(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner)
{
	__u64 epochs[2] = { *(volatile __u64 *)&names_epoch, *(volatile __u64 *)&watch_epoch };

	if (!mount) {
		walk_head(slot, dentry, NULL);
		slot->walk_mount = 0;
		put_both(slot->key, inner);
		return;
	}
	if (settings.folders && folder_put(slot, dentry, mount, inner))
		return;
	walk_head(slot, dentry, mount->mnt_root);
	slot->walk_mount = (__u64)mount;
	put_both(slot->key, inner);
	if (settings.folders)
		folder_keep(slot, dentry, mount, inner, epochs);
}

static __always_inline void put_paths_of(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner, const bool typed)
{
	if (typed) {
		put_paths_typed(slot, dentry, mount, inner);
		return;
	}
	walk_begin(slot, dentry);
	slot->walk_mount = (__u64)mount;
	put_both(slot->key, inner);
}

static __always_inline void put_paths(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner)
{
	put_paths_of(slot, dentry, mount, inner, false);
}

/* Sends a record whose result comes later, and remembers that it does. */
static __always_inline void send_pending(struct scratch *slot, struct dentry *dentry)
{
	struct hv_file *record = (void *)slot->record;
	struct pending *pending = pending_room();

	record->operation = record->header.time;
	record->header.flags |= HV_FILE_PENDING;
	if (!pending) {
		record_send(slot);
		return;
	}
	pending->operation = record->header.time;
	pending->action = record->action;
	pending->leaving = 0;
	pending->object = 0;
	pending->overlay = 0;
	if (dentry) {
		pending->object = (__u64)dentry;
		pending->overlay = BPF_CORE_READ(dentry, d_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
	}
	if (!record_send(slot))
		pending_forget(pending);
}

/* `after`: where the object is now, or NULL. */
static __noinline int result_tell(struct pending *pending, int error, struct dentry *after, __u64 value)
{
	struct hv_result result = {};
	struct inode *inode;

	if (!pending)
		return 0;
	result.operation = pending->operation;
	if (pending->leaving && !error)
		watch_disown((void *)pending->leaving);
	pending_forget(pending);
	header_begin(&result.header, HV_KIND_RESULT);
	result.tid = bpf_get_current_pid_tgid();
	result.error = error;
	result.value = value;
	if (after && !error) {
		inode = BPF_CORE_READ(after, d_inode);
		if (inode)
			object_fill(&result.object, inode);
	}
	ring_send(ring_bulk(), &result.header, sizeof(result));
	return 0;
}

/* `dentry`: what it was about, NULL where that is not compared. All operations of its kind on the machine pay for this. */
static __always_inline int result_of_pending(struct dentry *dentry, int error, struct dentry *after, __u64 value)
{
	struct pending *pending = pending_find();

	if (!pending || (dentry && pending->object && pending->object != (__u64)dentry))
		return 0;
	return result_tell(pending, error, after, value);
}

/* The record of an act that takes a name from this inode is on its way. */
static __noinline void name_leaves(struct inode *inode)
{
	struct hv_inode_key key = {};
	struct hv_watch *watch;
	struct pending *pending;

	if (BPF_CORE_READ(inode, i_nlink) != 1)
		return;
	inode_key(&key, inode);
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	if (!watch || !(watch->policy & HV_WATCH_LINKED))
		return;
	pending = pending_find();
	if (pending)
		pending->leaving = (__u64)inode;
}

/* An act on a name or an attribute, as a hook sees it. Lies on the hook's stack. */
struct act {
	__u64 word;
	struct dentry *dentry, *target;
	struct vfsmount *mount, *target_mount;
	__u64 value, value_2;
	const char *text, *text_2;
	__u32 action;
	__u32 flags; /* HV_FILE_*; with HV_FILE_PENDING its result comes later */
	int error;
};

static __always_inline int act_send_of(const struct act *act, const bool typed)
{
	struct dentry *dentry = act->dentry, *target = act->target;
	struct inode *inode = FIELD(typed, dentry, d_inode);
	struct scratch *slot;
	struct hv_file *record;

	if (unwanted(act->word, act->action))
		return 0;
	slot = record_begin(act->action, act->word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->header.flags |= act->flags & ~HV_FILE_PENDING;
	record->value = act->value;
	record->value_2 = act->value_2;
	record->error = act->error;
	if (inode)
		object_read(&record->object, inode, typed);
	else
		record->directory_device = FIELD(typed, dentry, d_sb, s_dev);
	put_paths_of(slot, dentry, act->mount, HV_FILE_INNER, typed);
	if (!inode) {
		/* A name that is not there yet is not one that was removed. */
		record->strings[HV_FILE_INNER].flags &= ~HV_STRING_DELETED;
		record->strings[HV_FILE_ACTOR].flags &= ~HV_STRING_DELETED;
	}
	if (target) {
		struct inode *victim = FIELD(typed, target, d_inode);

		if (victim)
			object_read(&record->target, victim, typed);
		put_paths_of(slot, target, act->target_mount, HV_FILE_TARGET_INNER, typed);
		record->strings[HV_FILE_TARGET_INNER].flags &= ~HV_STRING_DELETED;
		record->strings[HV_FILE_TARGET_ACTOR].flags &= ~HV_STRING_DELETED;
	}
	if (act->text)
		record->strings[HV_FILE_TEXT] = put_kernel_string(slot, act->text);
	if (act->text_2)
		record->strings[HV_FILE_TEXT_2] = put_kernel_string(slot, act->text_2);
	if (act->flags & HV_FILE_PENDING)
		send_pending(slot, dentry);
	else
		record_send(slot);
	return 0;
}

static __noinline int act_send(const struct act *act)
{
	return act_send_of(act, false);
}

/* Its dentries and mounts are typed. */
static __noinline int act_send_typed(const struct act *act)
{
	return act_send_of(act, true);
}

/* A name has got another parent: what was kept of its object no longer holds. */
static __noinline void name_moved(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct hv_inode_key key = {};

	if (!inode)
		return;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR) {
		/* All below it has other ancestors now. */
		count(&watch_epoch);
		return;
	}
	inode_key(&key, inode);
	verdict_drop(&key);
	/* It may have other names elsewhere, or a handle by one that is gone, whose place says nothing of it now. */
	if (BPF_CORE_READ(inode, i_nlink) > 1 || (BPF_CORE_READ(inode, i_nlink) == 1 && BPF_CORE_READ(inode, i_dentry.first, next))) {
		__u64 word = judge_name(BPF_CORE_READ(dentry, d_parent));

		if (watch_hit(word))
			watch_adopt(inode, word);
	}
}

static __always_inline int file_created_of(struct file *file, __u64 word, const bool typed)
{
	struct act act = {};

	act.action = HV_FILE_CREATE;
	act.word = word;
	act.dentry = FIELD(typed, file, f_path.dentry);
	act.mount = FIELD(typed, file, f_path.mnt);
	return typed ? act_send_typed(&act) : act_send(&act);
}

static __noinline int file_created(struct file *file, __u64 word)
{
	return file_created_of(file, word, false);
}

static __noinline int file_created_typed(struct file *file, __u64 word)
{
	return file_created_of(file, word, true);
}

#endif
