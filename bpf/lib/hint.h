/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The last *.ko* that each process opened, for modules that are loaded from memory.
 * Part of the file family's open hook where that is attached, so that an open pays
 * for one program; else the module family's own.
 */
#ifndef HV_HINT_H
#define HV_HINT_H

#include "path.h"
#include "task.h"

/* A file that lives longer than the hook that saw it: its identity and its paths. */
struct kept_file {
	struct hv_object object;
	__u64 ctime; /* ns since 1970 */
	struct hv_string mounted, inner;
	__u8 mounted_path[HV_PATH_MAX];
	__u8 inner_path[HV_PATH_MAX];
};

/* The last *.ko* that a process opened, by thread group. */
struct hint {
	__u64 start; /* of the process, against reuse of the number */
	struct kept_file file;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct hint);
} hv_module_hints SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hint);
} hv_hint_zero SEC(".maps");

static __always_inline struct hv_string keep_walk(struct scratch *slot, __u8 *to)
{
	__u32 at = slot->walk_position, length;

	if (at >= HV_PATH_MAX)
		return string_slot(0, slot->walk_flags);
	length = (HV_PATH_MAX - at) & (HV_PATH_MAX - 1);
	if (bpf_probe_read_kernel(to, length, &slot->path[at & (HV_PATH_MAX - 1)]))
		return string_slot(0, HV_STRING_FAULT);
	return string_slot(length, slot->walk_flags);
}

static __noinline void keep_file(struct kept_file *to, struct file *file)
{
	struct scratch *slot = scratch_get();

	if (!to)
		return;
	object_fill(&to->object, BPF_CORE_READ(file, f_inode));
	to->ctime = inode_ctime(BPF_CORE_READ(file, f_inode), false);
	if (!slot)
		return;
	walk_begin(slot, BPF_CORE_READ(file, f_path.dentry));
	slot->walk_mount = (__u64)BPF_CORE_READ(file, f_path.mnt);
	walk_mounted(slot->key);
	to->mounted = keep_walk(slot, to->mounted_path);
	walk_begin(slot, BPF_CORE_READ(file, f_path.dentry));
	walk_inner(slot->key);
	to->inner = keep_walk(slot, to->inner_path);
	scratch_put(slot);
}

/* The last eight bytes of a short name, which lies in the dentry: direct loads, where a helper would cost an open half as much again. */
#define INLINE_NAME_BYTES 32

/* The 8 bytes that begin `bytes` (0 to 7) into `low`. */
static __always_inline __u64 word_at(__u64 low, __u64 high, __u32 bytes)
{
	return bytes ? low >> (bytes * 8) | high << (64 - bytes * 8) : low;
}

/* Of a longer one, which lies elsewhere. */
static __noinline __u64 long_tail(struct dentry *dentry)
{
	__u64 tail = 0;

	bpf_probe_read_kernel(&tail, sizeof(tail), dentry->d_name.name + dentry->d_name.len - sizeof(tail));
	return tail;
}

/* ".ko" at the end of the name, or before a compression's suffix of two or three letters. */
static __always_inline bool names_module(struct dentry *dentry)
{
	__u32 length = dentry->d_name.len;
	struct dentry___6_14 *newer = (void *)dentry;
	const __u64 *words; /* by offset: through a member, an array of characters would be loaded byte by byte */
	__u64 tail;

	if (bpf_core_field_exists(newer->d_shortname))
		words = (void *)dentry + bpf_core_field_offset(newer->d_shortname);
	else
		words = (void *)dentry + bpf_core_field_offset(dentry->d_iname);
	if (length < 8)
		tail = length < 4 ? 0 : words[0] << (64 - length * 8);
	else if (length < 16)
		tail = word_at(words[0], words[1], length - 8);
	else if (length < 24)
		tail = word_at(words[1], words[2], length - 16);
	else if (length < INLINE_NAME_BYTES)
		tail = word_at(words[2], words[3], length - 24);
	else
		tail = long_tail(dentry);
	/* Little-endian: the last byte of the name is the highest. */
	return tail >> 40 == 0x6f6b2e || (__u32)(tail >> 16) == 0x2e6f6b2e || (__u32)(tail >> 8) == 0x2e6f6b2e;
}

static __noinline int hint_keep(struct file *file)
{
	__u32 key = bpf_get_current_pid_tgid() >> 32, zero = 0;
	struct hint *hint = bpf_map_lookup_elem(&hv_module_hints, &key);

	if (!hint) {
		hint = bpf_map_lookup_elem(&hv_hint_zero, &zero);
		if (!hint)
			return 0;
		bpf_map_update_elem(&hv_module_hints, &key, hint, BPF_ANY);
		hint = bpf_map_lookup_elem(&hv_module_hints, &key);
		if (!hint)
			return 0;
	}
	hint->start = BPF_CORE_READ(current_task(), group_leader, start_boottime);
	keep_file(&hint->file, file);
	return 0;
}

static __always_inline int hint_open(struct file *file)
{
	if (!names_module(file->f_path.dentry))
		return 0;
	return hint_keep(file);
}

#endif
