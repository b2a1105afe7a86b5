/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Paths by walking dentries upwards, without bpf_d_path, which few hooks allow.
 * All that changes from round to round lives in the scratch slot. The walks and each
 * one's round are global functions, which the verifier walks once and not at each
 * call: 256 rounds cost it next to nothing, on 5.10 as well. Those take only numbers
 * before 5.13, so the slot is passed by its key and the pointers in it (walk_dentry,
 * walk_mount). Typed pointers get no further than the hook's own functions: there the
 * first components are walked by direct loads (walk_head), which is all that most paths have.
 */
#ifndef HV_PATH_H
#define HV_PATH_H

#include "field.h"
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

/* Nothing is walked yet. d_unlinked(): no name leads to it any more. A root is unhashed as well and has no parent but itself. */
static __always_inline void walk_begin_of(struct scratch *slot, struct dentry *dentry, const bool typed)
{
	slot->walk_start = slot->walk_dentry = (__u64)dentry;
	slot->walk_position = HV_PATH_MAX;
	slot->walk_inner_length = 0;
	slot->walk_crossed = 0;
	slot->walk_flags = HV_STRING_TRUNCATED; /* until its end is reached */
	if (!FIELD(typed, dentry, d_hash.pprev) && FIELD(typed, dentry, d_parent) != dentry)
		slot->walk_flags |= HV_STRING_DELETED;
}

static __always_inline void walk_begin(struct scratch *slot, struct dentry *dentry)
{
	walk_begin_of(slot, dentry, false);
}

#define HV_HEAD_COMPONENTS 8

/* The same for a typed one, and the first components; not beyond `root`. The functions below go on from there. */
static __noinline void walk_head(struct scratch *slot, struct dentry *dentry, struct dentry *root)
{
	walk_begin_of(slot, dentry, true);
#pragma unroll
	for (int round = 0; round < HV_HEAD_COMPONENTS; round++) {
		struct dentry *parent = dentry->d_parent;

		if (dentry == root || parent == dentry || !walk_prepend(slot, dentry->d_name.name, dentry->d_name.len))
			break;
		dentry = parent;
	}
	slot->walk_dentry = (__u64)dentry;
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

/* Not one component: the root itself, or a file that has no place but a name (memfd: shmem_file_setup()). */
static __noinline void walk_own(struct scratch *slot)
{
	struct dentry_part own;

	dentry_read(&own, (void *)slot->walk_start);
	/* A root's name is "/". */
	if (own.parent == slot->walk_start && own.length > 1)
		walk_prepend(slot, (void *)own.name, own.length);
	else
		walk_prepend(slot, NULL, 0);
}

/* The walked path goes to the end of the record. */
static __always_inline struct hv_string walk_put(struct scratch *slot)
{
	__u32 at = slot->walk_position;
	__u32 length;

	if (at >= HV_PATH_MAX) {
		walk_own(slot);
		at = slot->walk_position;
	}
	length = HV_PATH_MAX - at;
	if (length > HV_PATH_MAX - 1) {
		length = HV_PATH_MAX - 1;
		at = 1;
	}
	UNKNOWN(length); /* or the bound that put_bytes() sets is left out, and 6.1 can't see this one */
	return put_bytes(slot, &slot->path[at & (HV_PATH_MAX - 1)], length, slot->walk_flags);
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

/* The rest of a path inside its file system, up to that one's root. */
__noinline int walk_inner(__u32 key)
{
	for (int round = 0; round < HV_PATH_COMPONENTS; round++)
		if (walk_inner_step(key))
			break;
	return 0;
}

/* The same of a mount (fs/mount.h). */
struct mount_part {
	__u64 parent, point, root;
};
#define MOUNT_OFFSET(member) (bpf_core_field_offset(struct mount, member) - bpf_core_field_offset(struct mount, mnt_parent))

static __always_inline void walk_enter(struct scratch *slot, __u64 address)
{
	struct mount *mount = (void *)address;
	struct mount_part part = {};

	slot->walk_mount = address;
	if (MOUNT_OFFSET(mnt_mountpoint) == 8 && MOUNT_OFFSET(mnt.mnt_root) == 16) {
		bpf_probe_read_kernel(&part, sizeof(part), (void *)address + bpf_core_field_offset(struct mount, mnt_parent));
		slot->walk_below = part.parent;
		slot->walk_point = part.point;
		slot->walk_root = part.root;
		return;
	}
	slot->walk_below = (__u64)BPF_CORE_READ(mount, mnt_parent);
	slot->walk_point = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	slot->walk_root = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
}

/* One round of walk_mounted; 1: it is over. */
__noinline int walk_mounted_step(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);
	struct dentry_part at;

	if (!slot)
		return 1;
	if (slot->walk_dentry == slot->walk_root) {
		if (!slot->walk_crossed) {
			struct dentry *root = (void *)slot->walk_dentry;

			slot->walk_crossed = 1;
			if (BPF_CORE_READ(root, d_parent) == root)
				slot->walk_inner_length = HV_PATH_MAX - slot->walk_position;
		}
		if (slot->walk_below == slot->walk_mount) {
			/* The top: a namespace's root, or a mount that is in none (detached, or the kernel's own: an error pointer). */
			struct mount *top = (void *)slot->walk_mount;
			__u64 namespace = (__u64)BPF_CORE_READ(top, mnt_ns);

			slot->walk_flags &= ~HV_STRING_TRUNCATED;
			if (!namespace || namespace > -4096ULL)
				slot->walk_flags |= HV_STRING_UNREACHABLE;
			return 1;
		}
		slot->walk_dentry = slot->walk_point;
		walk_enter(slot, slot->walk_below);
		return 0;
	}
	dentry_read(&at, (void *)slot->walk_dentry);
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
 * The rest of a path in the mount namespace that the mount (walk_mount: a struct vfsmount)
 * belongs to. Its end, up to the first mount's root, is the path inside the file system
 * where that mount shows all of it: walk_inner_length, else 0.
 */
__noinline int walk_mounted(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);

	if (!slot)
		return 0;
	walk_enter(slot, slot->walk_mount - bpf_core_field_offset(struct mount, mnt));
	for (int round = 0; round < HV_PATH_COMPONENTS; round++)
		if (walk_mounted_step(key))
			break;
	return 0;
}

static __always_inline struct hv_string put_path_inner(struct scratch *slot, struct dentry *dentry)
{
	walk_begin(slot, dentry);
	walk_inner(slot->key);
	return walk_put(slot);
}

static __always_inline struct hv_string put_path_mounted(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount)
{
	if (!mount)
		return string_slot(0, 0);
	walk_begin(slot, dentry);
	slot->walk_mount = (__u64)mount;
	walk_mounted(slot->key);
	return walk_put(slot);
}

/* Of typed pointers. */
static __always_inline struct hv_string put_path_typed(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount)
{
	walk_head(slot, dentry, mount->mnt_root);
	slot->walk_mount = (__u64)mount;
	walk_mounted(slot->key);
	return walk_put(slot);
}

static __always_inline __u64 inode_mtime(struct inode *inode, const bool typed)
{
	struct inode___6_6 *newer = (void *)inode;
	struct inode___before_6_6 *older = (void *)inode;

	if (bpf_core_field_exists(inode->i_mtime_sec))
		return FIELD(typed, inode, i_mtime_sec) * 1000000000ULL + FIELD(typed, inode, i_mtime_nsec);
	if (bpf_core_field_exists(newer->__i_mtime))
		return FIELD(typed, newer, __i_mtime.tv_sec) * 1000000000ULL + FIELD(typed, newer, __i_mtime.tv_nsec);
	return FIELD(typed, older, i_mtime.tv_sec) * 1000000000ULL + FIELD(typed, older, i_mtime.tv_nsec);
}

/* The top bit of its nanoseconds says that somebody has asked for it (include/linux/fs.h, I_CTIME_QUERIED; 6.13). */
static __always_inline __u64 inode_ctime(struct inode *inode, const bool typed)
{
	struct inode___6_6 *newer = (void *)inode;
	struct inode___before_6_6 *older = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return FIELD(typed, inode, i_ctime_sec) * 1000000000ULL + (FIELD(typed, inode, i_ctime_nsec) & 0x7fffffff);
	if (bpf_core_field_exists(newer->__i_ctime))
		return FIELD(typed, newer, __i_ctime.tv_sec) * 1000000000ULL + FIELD(typed, newer, __i_ctime.tv_nsec);
	return FIELD(typed, older, i_ctime.tv_sec) * 1000000000ULL + FIELD(typed, older, i_ctime.tv_nsec);
}

static __always_inline void object_read(struct hv_object *to, struct inode *inode, const bool typed)
{
	to->inode = FIELD(typed, inode, i_ino);
	to->size = FIELD(typed, inode, i_size);
	to->mtime = inode_mtime(inode, typed);
	to->device = FIELD(typed, inode, i_sb, s_dev);
	to->generation = FIELD(typed, inode, i_generation);
	to->mode = FIELD(typed, inode, i_mode);
	to->links = FIELD(typed, inode, i_nlink);
	to->uid = FIELD(typed, inode, i_uid.val);
	to->gid = FIELD(typed, inode, i_gid.val);
}

static __noinline __attribute__((unused)) void object_fill(struct hv_object *to, struct inode *inode)
{
	object_read(to, inode, false);
}

static __always_inline void object_fill_typed(struct hv_object *to, struct inode *inode)
{
	object_read(to, inode, true);
}

#endif
