/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Paths by walking dentries upwards, without bpf_d_path, which few hooks allow.
 * All that changes from round to round lives in the scratch slot. The walks and each
 * one's round are global functions, which the verifier walks once and not at each
 * call: 256 rounds cost it next to nothing, on 5.10 as well. Those take only numbers
 * before 5.13, so the slot is passed by its key and the pointers in it (walk_dentry,
 * walk_mount).
 */
#ifndef HV_PATH_H
#define HV_PATH_H

#include "scratch.h"

#define HV_PATH_COMPONENTS 256

static __always_inline struct hv_string string_slot(__u32 length, __u32 flags)
{
	return (struct hv_string){ .length = length, .flags = flags };
}

/* Puts `length` bytes of kernel memory at the end of the record. */
static __always_inline struct hv_string put_bytes(struct scratch *slot, const void *from, __u32 length, __u32 flags)
{
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);

	length &= HV_SCRATCH_STRING - 1;
	if (length && bpf_probe_read_kernel(&slot->record[at], length, from))
		return string_slot(0, HV_STRING_FAULT);
	slot->used = at + length;
	return string_slot(length, flags);
}

/* A string of the kernel's, up to HV_PATH_MAX - 1 bytes. */
static __always_inline struct hv_string put_kernel_string(struct scratch *slot, const void *from)
{
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);
	long length = bpf_probe_read_kernel_str(&slot->record[at], HV_PATH_MAX, from);

	if (length <= 0)
		return string_slot(0, HV_STRING_FAULT);
	length = (length - 1) & (HV_PATH_MAX - 1);
	slot->used = at + length;
	return string_slot(length, length == HV_PATH_MAX - 1 ? HV_STRING_TRUNCATED : 0);
}

/* A string of the caller's. */
static __always_inline struct hv_string put_user_string(struct scratch *slot, const void *from)
{
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);
	long length = bpf_probe_read_user_str(&slot->record[at], HV_PATH_MAX, from);

	if (length <= 0)
		return string_slot(0, HV_STRING_FAULT);
	length = (length - 1) & (HV_PATH_MAX - 1);
	slot->used = at + length;
	return string_slot(length, length == HV_PATH_MAX - 1 ? HV_STRING_TRUNCATED : 0);
}

/* Puts "/" and the name in front of what the walk has so far; false when there is no room. */
static __always_inline bool walk_prepend(struct scratch *slot, const unsigned char *name, __u32 length)
{
	__u32 at = slot->walk_position;

	length &= HV_NAME_MAX - 1;
	if (at < length + 1) {
		slot->walk_flags |= HV_STRING_TRUNCATED;
		return false;
	}
	at -= length + 1;
	slot->walk_position = at;
	at &= HV_PATH_MAX - 1;
	slot->path[at] = '/';
	if (length)
		bpf_probe_read_kernel(&slot->path[at + 1], length, name);
	return true;
}

static __always_inline void walk_begin(struct scratch *slot)
{
	struct dentry *dentry = (void *)slot->walk_dentry;

	slot->walk_position = HV_PATH_MAX;
	slot->walk_flags = 0;
	/* d_unlinked(): no name leads to it any more. A root is unhashed as well and has no parent but itself. */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
		slot->walk_flags |= HV_STRING_DELETED;
}

/* The walked path goes to the end of the record. */
static __always_inline struct hv_string walk_put(struct scratch *slot)
{
	__u32 at = slot->walk_position;
	__u32 length;

	if (at >= HV_PATH_MAX) {
		/* Not one component: the root itself. */
		slot->path[HV_PATH_MAX - 1] = '/';
		at = HV_PATH_MAX - 1;
	}
	length = HV_PATH_MAX - at;
	if (length > HV_PATH_MAX - 1) {
		length = HV_PATH_MAX - 1;
		at = 1;
	}
	return put_bytes(slot, &slot->path[at & (HV_PATH_MAX - 1)], length, slot->walk_flags);
}

/* What a walk needs of a dentry lies together (include/linux/dcache.h), so that one read does for four. */
struct dentry_part {
	__u64 parent;
	__u32 hash, length;
	__u64 name;
};
#define DENTRY_OFFSET(member) (bpf_core_field_offset(struct dentry, member) - bpf_core_field_offset(struct dentry, d_parent))

static __always_inline void dentry_read(struct dentry_part *part, struct dentry *dentry)
{
	if (DENTRY_OFFSET(d_name.len) == 12 && DENTRY_OFFSET(d_name.name) == 16) {
		if (bpf_probe_read_kernel(part, sizeof(*part), (void *)dentry + bpf_core_field_offset(struct dentry, d_parent)))
			part->parent = 0;
		return;
	}
	part->parent = (__u64)BPF_CORE_READ(dentry, d_parent);
	part->length = BPF_CORE_READ(dentry, d_name.len);
	part->name = (__u64)BPF_CORE_READ(dentry, d_name.name);
}

/* One round of walk_inner; 1: it is over. A function of its own, so that the verifier walks it once and not once a round. */
__noinline int walk_inner_step(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);
	struct dentry_part at;

	if (!slot)
		return 1;
	dentry_read(&at, (void *)slot->walk_dentry);
	if (at.parent == slot->walk_dentry || !at.parent) {
		slot->walk_flags &= ~HV_STRING_TRUNCATED;
		return 1;
	}
	if (!walk_prepend(slot, (void *)at.name, at.length))
		return 1;
	slot->walk_dentry = at.parent;
	return 0;
}

/* Path of a dentry inside its file system, from that one's root. */
__noinline int walk_inner(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);

	if (!slot)
		return 0;
	walk_begin(slot);
	slot->walk_flags |= HV_STRING_TRUNCATED;
	for (int round = 0; round < HV_PATH_COMPONENTS; round++)
		if (walk_inner_step(key))
			break;
	return 0;
}

/* One round of walk_mounted; 1: it is over. */
__noinline int walk_mounted_step(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);
	struct dentry_part at;

	if (!slot)
		return 1;
	dentry_read(&at, (void *)slot->walk_dentry);
	if (slot->walk_dentry == slot->walk_root) {
		struct mount *on = (void *)slot->walk_mount;
		struct mount *below = BPF_CORE_READ(on, mnt_parent);

		if (!slot->walk_crossed) {
			slot->walk_crossed = 1;
			if (at.parent == slot->walk_dentry)
				slot->walk_inner_length = HV_PATH_MAX - slot->walk_position;
		}
		if (below == on) {
			/* The top: a namespace's root, or a mount that is in none (detached, or the kernel's own: an error pointer). */
			__u64 namespace = (__u64)BPF_CORE_READ(on, mnt_ns);

			slot->walk_flags &= ~HV_STRING_TRUNCATED;
			if (!namespace || namespace > -4096ULL)
				slot->walk_flags |= HV_STRING_UNREACHABLE;
			return 1;
		}
		slot->walk_dentry = (__u64)BPF_CORE_READ(on, mnt_mountpoint);
		slot->walk_mount = (__u64)below;
		slot->walk_root = (__u64)BPF_CORE_READ(below, mnt.mnt_root);
		return 0;
	}
	if (at.parent == slot->walk_dentry || !at.parent) {
		/* Outside what the mount shows: moved out of a bind mount's root. */
		slot->walk_flags &= ~HV_STRING_TRUNCATED;
		slot->walk_flags |= HV_STRING_UNREACHABLE;
		return 1;
	}
	if (!walk_prepend(slot, (void *)at.name, at.length))
		return 1;
	slot->walk_dentry = at.parent;
	return 0;
}

/*
 * Path of a dentry in the mount namespace that the mount belongs to. Its end, up to
 * the first mount's root, is the path inside the file system where that mount shows
 * all of it: walk_inner_length, else 0.
 */
__noinline int walk_mounted(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);
	__u64 vfsmount;

	if (!slot)
		return 0;
	vfsmount = slot->walk_mount;
	walk_begin(slot);
	slot->walk_mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
	slot->walk_root = (__u64)BPF_CORE_READ((struct vfsmount *)vfsmount, mnt_root);
	slot->walk_flags |= HV_STRING_TRUNCATED;
	slot->walk_inner_length = 0;
	slot->walk_crossed = 0;
	for (int round = 0; round < HV_PATH_COMPONENTS; round++)
		if (walk_mounted_step(key))
			break;
	return 0;
}

static __always_inline struct hv_string put_path_inner(struct scratch *slot, struct dentry *dentry)
{
	slot->walk_dentry = (__u64)dentry;
	walk_inner(slot->key);
	return walk_put(slot);
}

static __always_inline struct hv_string put_path_mounted(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount)
{
	if (!mount)
		return string_slot(0, 0);
	slot->walk_dentry = (__u64)dentry;
	slot->walk_mount = (__u64)mount;
	walk_mounted(slot->key);
	return walk_put(slot);
}

static __always_inline __u64 inode_mtime(struct inode *inode)
{
	if (bpf_core_field_exists(inode->i_mtime_sec))
		return BPF_CORE_READ(inode, i_mtime_sec) * 1000000000ULL + BPF_CORE_READ(inode, i_mtime_nsec);
	struct inode___6_6 *newer = (void *)inode;
	if (bpf_core_field_exists(newer->__i_mtime))
		return BPF_CORE_READ(newer, __i_mtime.tv_sec) * 1000000000ULL + BPF_CORE_READ(newer, __i_mtime.tv_nsec);
	struct inode___before_6_6 *older = (void *)inode;
	return BPF_CORE_READ(older, i_mtime.tv_sec) * 1000000000ULL + BPF_CORE_READ(older, i_mtime.tv_nsec);
}

static __noinline void object_fill(struct hv_object *to, struct inode *inode)
{
	to->inode = BPF_CORE_READ(inode, i_ino);
	to->size = BPF_CORE_READ(inode, i_size);
	to->mtime = inode_mtime(inode);
	to->device = BPF_CORE_READ(inode, i_sb, s_dev);
	to->generation = BPF_CORE_READ(inode, i_generation);
	to->mode = BPF_CORE_READ(inode, i_mode);
	to->links = BPF_CORE_READ(inode, i_nlink);
	to->uid = BPF_CORE_READ(inode, i_uid.val);
	to->gid = BPF_CORE_READ(inode, i_gid.val);
}

#endif
