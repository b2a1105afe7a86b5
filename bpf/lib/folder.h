/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Paths of folders that were walked lately: most changes come several to a folder, and a
 * copy costs a fifth of a walk up two levels. A path is right for as long as no folder is
 * renamed and no mount comes, goes or moves: `names_epoch` goes up then, before and after
 * (rename.h, mounts.h), and what was kept under another epoch counts for nothing. So they
 * are kept only while those programs are attached (settings.folders), and only on file
 * systems where nothing but rename(2) and its like gives a folder another name. Each CPU has
 * entries of its own; a program may be preempted by another on its CPU.
 */
#ifndef HV_FOLDER_H
#define HV_FOLDER_H

#include "path.h"
#include "watch.h"

#define FOLDER_PATH_MAX 192
#define FOLDERS_PER_CPU 64
#define FS_REQUIRES_DEV 1 /* include/linux/fs.h */

__u64 names_epoch SEC(".data.names") = 1;

struct folder {
	__u64 dentry; /* 0: nothing is kept, or it is being filled */
	__u64 mount;  /* struct vfsmount */
	__u64 names, watches; /* epochs */
	__u64 inode;
	__u32 generation;
	__u32 busy;
	__u32 fills;
	__u16 length; /* bytes of the path in the actor's mount namespace, "" for "/" */
	__u16 outer;  /* how many of those lie before the path inside the file system */
	__u8 path[FOLDER_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FOLDERS_PER_CPU);
	__type(key, __u32);
	__type(value, struct folder);
} hv_folders SEC(".maps");

static __always_inline struct folder *folder_slot(__u64 dentry)
{
	__u32 index = bpf_get_smp_processor_id() * FOLDERS_PER_CPU + ((address_bits(dentry) >> 6) * 0x9e3779b97f4a7c15ULL >> 40 & (FOLDERS_PER_CPU - 1));

	return bpf_map_lookup_elem(&hv_folders, &index);
}

static __always_inline bool folder_holds(const struct folder *folder, struct dentry *dentry, struct vfsmount *mount)
{
	struct inode *inode = dentry->d_inode;

	return inode && folder->dentry == (__u64)dentry && folder->mount == (__u64)mount && folder->names == names_epoch && folder->watches == watch_epoch &&
	       folder->inode == inode->i_ino && folder->generation == inode->i_generation;
}

/* Whole words; what is copied too much is overwritten, or not sent. */
static __always_inline void folder_copy(__u8 *to, const __u8 *from, __u32 length)
{
	for (__u32 word = 0; word < FOLDER_PATH_MAX / 8; word++) {
		if (word * 8 >= length)
			break;
		((__u64 *)to)[word] = ((const __u64 *)from)[word];
	}
}

/* Both paths of a name in a folder that is kept, into the slots from `inner`; false where it is not. */
static __noinline bool folder_put(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner)
{
	struct dentry *parent = dentry->d_parent;
	struct folder *folder = folder_slot((__u64)parent);
	struct hv_string *strings = ((struct hv_file *)slot->record)->strings;
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1), length, outer, name, fills, flags;

	if (!folder || parent == dentry || !folder_holds(folder, parent, mount))
		return false;
	fills = *(volatile __u32 *)&folder->fills;
	length = folder->length;
	outer = folder->outer;
	name = dentry->d_name.len;
	if (length > FOLDER_PATH_MAX || name >= HV_NAME_MAX || at + length + name >= HV_SCRATCH_RECORD)
		return false;
	folder_copy(&slot->record[at], folder->path, length);
	at += length;
	UNKNOWN(at);
	at &= HV_SCRATCH_RECORD - 1;
	slot->record[at] = '/';
	UNKNOWN(name);
	name &= HV_NAME_MAX - 1;
	if (bpf_probe_read_kernel(&slot->record[at + 1], name, dentry->d_name.name))
		return false;
	/* Another program filled it meanwhile. */
	if (*(volatile __u32 *)&folder->fills != fills || *(volatile __u64 *)&folder->dentry != (__u64)parent)
		return false;
	flags = dentry->d_hash.pprev ? 0 : HV_STRING_DELETED;
	length += 1 + name;
	inner &= 2;
	strings[inner] = string_slot(length - outer, HV_STRING_SUFFIX | flags);
	strings[inner + 1] = string_slot(length, flags);
	slot->used = at + 1 + name;
	return true;
}

static __always_inline bool folder_claim(struct folder *folder)
{
#ifdef NO_FETCH
	/* Before 5.12 a program is not preempted. */
	if (folder->busy)
		return false;
	folder->busy = 1;
	return true;
#else
	return __sync_val_compare_and_swap(&folder->busy, 0, 1) == 0;
#endif
}

/* Keeps what was walked for a name, whose path is the last in the record. The epochs are those from before the walk. */
static __noinline void folder_keep(struct scratch *slot, struct dentry *dentry, struct vfsmount *mount, __u32 inner, __u64 epochs[2])
{
	struct dentry *parent = dentry->d_parent;
	struct inode *inode = parent->d_inode;
	struct folder *folder = folder_slot((__u64)parent);
	struct hv_string *strings = ((struct hv_file *)slot->record)->strings;
	__u32 name = dentry->d_name.len + 1, length, whole;
	__u64 magic = dentry->d_sb->s_magic;
	bool ordinary = magic == TMPFS_MAGIC || magic == OVERLAYFS_SUPER_MAGIC;

	inner &= 2;
	if (!ordinary)
		ordinary = dentry->d_sb->s_type->fs_flags & FS_REQUIRES_DEV && magic != FUSE_SUPER_MAGIC;
	whole = strings[inner + 1].length;
	if (!folder || !inode || !ordinary || parent == dentry || strings[inner + 1].flags & ~HV_STRING_DELETED || !(strings[inner].flags & HV_STRING_SUFFIX) ||
	    strings[inner].length < name || whole < name)
		return;
	length = whole - name;
	if (length > FOLDER_PATH_MAX || !folder_claim(folder))
		return;
	folder->dentry = 0;
	*(volatile __u32 *)&folder->fills = folder->fills + 1;
	folder->mount = (__u64)mount;
	folder->names = epochs[0];
	folder->watches = epochs[1];
	folder->inode = inode->i_ino;
	folder->generation = inode->i_generation;
	folder->length = length;
	folder->outer = whole - strings[inner].length;
	folder_copy(folder->path, &slot->record[(slot->used - whole) & (HV_SCRATCH_RECORD - 1)], length);
	*(volatile __u64 *)&folder->dentry = (__u64)parent;
	*(volatile __u32 *)&folder->busy = 0;
}

#endif
