/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tracepoint style's renames and deletions: no hook shows the object, so the
 * record carries the name as the caller spelled it and the directory that it is
 * relative to, and user space resolves it. Whether a single name in a directory is
 * watched is exact and decided here; what has a '/' in it goes up undecided.
 */
#ifndef HV_FILE_SPELLED_H
#define HV_FILE_SPELLED_H

#include "file.h"
#include "handle.h"
#include "file_calls.h"

#define AT_FDCWD (-100)
#define AT_REMOVEDIR 0x200

struct directory {
	struct dentry *dentry;
	struct vfsmount *mount;
};

static __always_inline struct directory directory_of(int descriptor)
{
	struct directory directory = {};

	if (descriptor == AT_FDCWD) {
		struct fs_struct *fs = BPF_CORE_READ(current_task(), fs);

		directory.dentry = BPF_CORE_READ(fs, pwd.dentry);
		directory.mount = BPF_CORE_READ(fs, pwd.mnt);
	} else {
		struct file *file = file_of_descriptor(descriptor);

		if (file) {
			directory.dentry = BPF_CORE_READ(file, f_path.dentry);
			directory.mount = BPF_CORE_READ(file, f_path.mnt);
		}
	}
	return directory;
}

/* 0: one name; 1: a path of several. */
static __noinline int name_has_slash(const char *user)
{
	struct scratch *slot = scratch_get();
	int result = 1;
	long length;

	if (!slot)
		return 1;
	length = bpf_probe_read_user_str(slot->name, HV_NAME_MAX, user);
	if (length > 0 && length < HV_NAME_MAX) {
		result = 0;
		for (int at = 0; at < HV_NAME_MAX; at++) {
			if (!slot->name[at])
				break;
			if (slot->name[at] == '/')
				result = 1;
		}
	}
	scratch_put(slot);
	return result;
}

/* What decides for a spelled name: an entry, nothing (0), or UNDECIDED. */
#define UNDECIDED (~0ULL)

static __noinline __u64 judge_spelled(int descriptor, const char *name)
{
	struct directory directory = directory_of(descriptor);

	if (!directory.dentry || name_has_slash(name))
		return UNDECIDED;
	return judge_name(directory.dentry);
}

/* The directory's paths; strings lie in the order of their slots, so all directories come before the names. */
static __always_inline void put_directory_of(struct scratch *slot, int descriptor, __u32 inner)
{
	struct hv_file *record = (void *)slot->record;
	struct directory directory = directory_of(descriptor);
	struct dentry *dentry = directory.dentry; /* not through the struct, which is ours: CO-RE would look for it in the kernel */

	if (dentry) {
		record->directory_device = BPF_CORE_READ(dentry, d_sb, s_dev);
		put_paths(slot, dentry, directory.mount, inner);
	}
}

static __noinline int spelled_begins(__u32 action, __u64 word, int directory, const char *name)
{
	struct scratch *slot;
	struct hv_file *record;

	if (word == UNDECIDED)
		word = WATCH_NOTHING;
	if (own_act(word))
		return 0;
	slot = record_begin(action, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->header.flags |= HV_FILE_SPELLED;
	put_directory_of(slot, directory, HV_FILE_INNER);
	record->strings[HV_FILE_NAME] = put_user_string(slot, name);
	send_pending(slot);
	return 0;
}

static __noinline int spelled_rename(int from_directory, const char *from, int to_directory, const char *to)
{
	__u64 word = judge_spelled(from_directory, from);
	struct scratch *slot;
	struct hv_file *record;

	if (!watch_hit(word) || word == UNDECIDED) {
		__u64 target = judge_spelled(to_directory, to);

		if (!watch_hit(target) && target != UNDECIDED && word != UNDECIDED)
			return 0;
		if (target != UNDECIDED && watch_hit(target))
			word = target;
	}
	if (word == UNDECIDED || !watch_hit(word))
		word = WATCH_NOTHING;
	if (own_act(word))
		return 0;
	slot = record_begin(HV_FILE_RENAME, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->header.flags |= HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED;
	put_directory_of(slot, from_directory, HV_FILE_INNER);
	put_directory_of(slot, to_directory, HV_FILE_TARGET_INNER);
	record->strings[HV_FILE_NAME] = put_user_string(slot, from);
	record->strings[HV_FILE_TARGET_NAME] = put_user_string(slot, to);
	send_pending(slot);
	return 0;
}

#endif
