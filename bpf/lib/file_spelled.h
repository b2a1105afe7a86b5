/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tracepoint style's acts on names: no hook shows the object, so the record carries
 * the name as the caller spelled it and the directory that it is relative to (of an
 * absolute one, the caller's root), and user space resolves it. Whether a single name in a
 * directory is watched is exact and decided here; what has a '/' in it goes up undecided.
 */
#ifndef HV_FILE_SPELLED_H
#define HV_FILE_SPELLED_H

#include "changes.h"
#include "handle.h"
#include "file_calls.h"
#include "../mounts.h"

/* include/uapi/linux/fcntl.h */
#define AT_FDCWD (-100)
#define AT_REMOVEDIR 0x200
#define AT_EMPTY_PATH 0x1000

struct directory {
	struct dentry *dentry;
	struct vfsmount *mount;
};

/* What a name is relative to. */
static __always_inline struct directory directory_of(int descriptor, bool absolute)
{
	struct directory directory = {};
	struct fs_struct *fs = BPF_CORE_READ(current_task(), fs);

	if (absolute) {
		directory.dentry = BPF_CORE_READ(fs, root.dentry);
		directory.mount = BPF_CORE_READ(fs, root.mnt);
	} else if (descriptor == AT_FDCWD) {
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

/* 0: one name; 1: a path of several. These are global functions, for the verifier: their arguments are numbers. */
__noinline int name_has_slash(__u64 user)
{
	struct scratch *slot = scratch_get();
	int result = 1;
	long length;

	if (!slot)
		return 1;
	length = bpf_probe_read_user_str(slot->name, HV_NAME_MAX, (void *)user);
	if (length > 0 && length < HV_NAME_MAX) {
		result = 0;
		for (int at = 0; at < HV_NAME_MAX; at++) {
			if (!slot->name[at])
				break;
			if (slot->name[at] == '/')
				result = 1;
		}
		/* "." and ".." are not names of the directory's. */
		if (slot->name[0] == '.' && (!slot->name[1] || (slot->name[1] == '.' && !slot->name[2])))
			result = 1;
	}
	scratch_put(slot);
	return result;
}

/* The first byte of a name; 0: it is empty, -1: it can't be read yet. */
static __always_inline int name_begins_with(__u64 user)
{
	__u8 first;

	return bpf_probe_read_user(&first, 1, (void *)user) ? -1 : first;
}

/*
 * The descriptor of a name below /proc/self/fd, or -1: how C libraries and tools act on a
 * descriptor where there is no call for it. It may be gone when user space looks.
 */
__noinline int descriptor_in_name(__u64 user)
{
	static const char prefix[] = "/proc/self/fd/";
	char name[24] = {};
	int descriptor = 0;

	if (bpf_probe_read_user_str(name, sizeof(name), (void *)user) <= (long)sizeof(prefix))
		return -1;
	for (int at = 0; at < (int)sizeof(prefix) - 1; at++)
		if (name[at] != prefix[at])
			return -1;
	for (int at = sizeof(prefix) - 1; at < (int)sizeof(name); at++) {
		if (name[at] == '/' || !name[at])
			return descriptor;
		if (name[at] < '0' || name[at] > '9')
			return -1;
		descriptor = descriptor * 10 + name[at] - '0';
	}
	return -1;
}

/* What decides for a spelled name: an entry, nothing (0), or UNDECIDED. */
#define UNDECIDED (~0ULL)

__noinline __u64 judge_spelled(int descriptor, __u64 name)
{
	struct directory directory = directory_of(descriptor, false);

	if (name_has_slash(name))
		return UNDECIDED;
	if (!directory.dentry)
		return WATCH_NOTHING;
	/* An empty name is the descriptor itself. */
	return name_begins_with(name) ? judge_name(directory.dentry) : judge_dentry(directory.dentry);
}

/* The directory's paths; strings lie in the order of their slots, so all directories come before the names. */
static __always_inline void put_directory_of(struct scratch *slot, int descriptor, __u64 name, __u32 inner)
{
	struct hv_file *record = (void *)slot->record;
	bool absolute = name_begins_with(name) == '/';
	int named = absolute ? descriptor_in_name(name) : -1;
	struct directory directory = directory_of(named >= 0 ? named : descriptor, absolute && named < 0);
	struct dentry *dentry = directory.dentry; /* not through the struct, which is ours: CO-RE would look for it in the kernel */

	if (dentry) {
		/* Of a relative name, if there is one: user space knows where roots are by their paths. */
		if (!absolute || named >= 0 || !record->directory_device)
			record->directory_device = BPF_CORE_READ(dentry, d_sb, s_dev);
		put_paths(slot, dentry, directory.mount, inner);
	}
}

static __always_inline __u64 id_of_call(__u64 id, __u32 shape)
{
	return id_asked_for(shape == SHAPE_SHORT_IDS && (__u16)id == 0xffff ? ~0u : (__u32)id);
}

/* Of the flags of mount(2). */
static __always_inline __u32 mount_operation(__u64 flags)
{
	return flags & MS_REMOUNT ? HV_MOUNT_REMOUNT
	       : flags & MS_BIND ? HV_MOUNT_BIND
	       : flags & MS_PROPAGATION ? HV_MOUNT_PROPAGATION
	       : flags & MS_MOVE ? HV_MOUNT_MOVE
				 : HV_MOUNT_NEW;
}

/* hv_file.value and value_2, from the arguments. */
static __noinline void put_values(struct hv_file *record, __u64 registers, __u32 key)
{
	const volatile struct file_call *call = file_call(key);
	__u64 value = call_argument(registers, key, call->value), value_2 = call_argument(registers, key, call->value_2);
	__u32 shape = call->shape;

	switch (record->action) {
	case HV_FILE_CHMOD:
	case HV_FILE_MKDIR:
		value &= 07777;
		break;
	case HV_FILE_MKNOD:
		/* As the caller gave it: new_encode_dev() (include/linux/kdev_t.h). */
		value_2 = (value_2 & 0xfff00) << 12 | (value_2 & 0xff) | (value_2 >> 12 & 0xfff00);
		value = (__u16)value;
		break;
	case HV_FILE_CHOWN:
		value = id_of_call(value, shape);
		value_2 = id_of_call(value_2, shape);
		break;
	case HV_FILE_TRUNCATE:
		if (shape == SHAPE_HALVES)
			value |= call_argument(registers, key, call->value + 1) << 32;
		break;
	case HV_FILE_SETXATTR:
		if (shape == SHAPE_XATTR) {
			__u32 size = 0;

			bpf_probe_read_user(&size, sizeof(size), (void *)value + 8);
			value = size;
		}
		break;
	case HV_FILE_SETFLAGS:
		value = value_2 = ~0ULL;
		break;
	case HV_FILE_MOUNT:
		value_2 = call->text ? mount_operation(value) : call->target ? HV_MOUNT_PIVOT_ROOT : HV_MOUNT_MOVE;
		break;
	}
	record->value = value;
	record->value_2 = value_2;
}

static __noinline void put_texts(struct scratch *slot, __u64 registers, __u32 key)
{
	const volatile struct file_call *call = file_call(key);
	struct hv_file *record = (void *)slot->record;
	__u64 text = call_argument(registers, key, call->text), text_2 = call_argument(registers, key, call->text_2);

	if (text)
		record->strings[HV_FILE_TEXT] = put_user_string(slot, (void *)text);
	if (text_2)
		record->strings[HV_FILE_TEXT_2] = put_user_string(slot, (void *)text_2);
}

static __always_inline bool is_wanted(__u32 action)
{
	__u32 operation;

	switch (action) {
	case HV_FILE_RENAME: operation = HV_OPERATION_RENAME; break;
	case HV_FILE_DELETE: operation = HV_OPERATION_DELETE; break;
	case HV_FILE_LINK: case HV_FILE_SYMLINK: case HV_FILE_MKDIR: case HV_FILE_RMDIR: case HV_FILE_MKNOD: operation = HV_OPERATION_NAME; break;
	case HV_FILE_SETXATTR: case HV_FILE_REMOVEXATTR: operation = HV_OPERATION_EXTENDED; break;
	case HV_FILE_SETFLAGS: operation = HV_OPERATION_FLAGS; break;
	case HV_FILE_MOUNT: case HV_FILE_UMOUNT: operation = HV_OPERATION_MOUNT; break;
	default: operation = HV_OPERATION_ATTRIBUTE; break;
	}
	return settings.file_operations & operation;
}

#define ACTION_UNREAD 0xffffu /* of a pending operation: its name could not be read yet */

/* An act on a descriptor's object: `action` and its flags, if it is FS_IOC_SETFLAGS. */
__noinline int handle_begins(__u64 registers, __u32 key, __u32 descriptor, __u32 action, __u64 asked)
{
	const volatile struct file_call *call = file_call(key);
	struct file *file = file_of_descriptor(descriptor);
	struct dentry *dentry;
	struct inode *inode;
	struct scratch *slot;
	struct hv_file *record;
	__u64 word;

	if (!file)
		return 0;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	inode = BPF_CORE_READ(dentry, d_inode);
	word = judge_dentry(dentry);
	if (!inode || !watch_hit(word) || unwanted(word, action))
		return 0;
	slot = record_begin(action, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	object_fill(&record->object, inode);
	if (call->class == CALL_CONTROL) {
		record->value = asked;
		record->value_2 = inode_flags(inode);
	} else {
		put_values(record, registers, key);
	}
	put_paths(slot, dentry, BPF_CORE_READ(file, f_path.mnt), HV_FILE_INNER);
	put_texts(slot, registers, key);
	send_pending(slot, dentry);
	return 0;
}

/* What decides for an act on names: an entry, nothing, or UNDECIDED. */
static __always_inline __u64 judge_names(int directory, __u64 name, int target_directory, __u64 target)
{
	__u64 word = judge_spelled(directory, name), other;

	if (!target || (word != UNDECIDED && watch_hit(word)))
		return word;
	other = judge_spelled(target_directory, target);
	return other != UNDECIDED && watch_hit(other) ? other : word == UNDECIDED ? word : other;
}

/* What a call does to its name, by its flags. */
static __always_inline __u32 action_of(__u64 registers, __u32 key, __u32 flags)
{
	const volatile struct file_call *call = file_call(key);
	__u32 action = call->action, mode;

	if (action == HV_FILE_DELETE && flags & AT_REMOVEDIR)
		return HV_FILE_RMDIR;
	if (action != HV_FILE_MKNOD)
		return action;
	mode = call_argument(registers, key, call->value);
	return !(mode & S_IFMT) || (mode & S_IFMT) == S_IFREG ? HV_FILE_CREATE : action;
}

/*
 * An act on a name: at the start of the call, where its result is still to come (`error`
 * is 1), or at its end. `action`: what it is, 0: what the call says.
 */
__noinline int spelled_begins(__u64 registers, __u32 key, __u32 action, int error)
{
	const volatile struct file_call *call = file_call(key);
	__u64 name = call_argument(registers, key, call->name), target = 0, word;
	__u32 flags = call_argument(registers, key, call->flags);
	int directory = call->directory ? (int)call_argument(registers, key, call->directory) : AT_FDCWD;
	int target_directory = call->target_directory ? (int)call_argument(registers, key, call->target_directory) : AT_FDCWD;
	struct scratch *slot;
	struct hv_file *record;
	int first;

	if (!action) {
		action = action_of(registers, key, flags);
		if (error > 0) {
			if (action == HV_FILE_UTIMES && !name)
				return handle_begins(registers, key, directory, action, 0);
			first = name_begins_with(name);
			if (first < 0) {
				/* The page is not there yet; when the call has read it, it is. */
				struct pending *pending = pending_room();

				if (pending)
					pending->action = ACTION_UNREAD;
				return 0;
			}
			if (!first && flags & AT_EMPTY_PATH && action != HV_FILE_LINK)
				return handle_begins(registers, key, directory, action, 0);
		}
	}
	if (action == HV_FILE_RENAME || action == HV_FILE_LINK)
		target = call_argument(registers, key, call->target);
	word = judge_names(directory, name, target_directory, target);
	if (word != UNDECIDED && !watch_hit(word) && action != HV_FILE_MOUNT && action != HV_FILE_UMOUNT)
		return 0;
	if (word == UNDECIDED || !watch_hit(word))
		word = WATCH_NOTHING;
	if (unwanted(word, action))
		return 0;
	slot = record_begin(action, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->header.flags |= HV_FILE_SPELLED;
	if (action == HV_FILE_WRITE) {
		record->first = record->last = record->header.time;
		record->size_before = ~0ULL;
	} else {
		put_values(record, registers, key);
	}
	put_directory_of(slot, directory, name, HV_FILE_INNER);
	if (target) {
		record->header.flags |= HV_FILE_TARGET_SPELLED;
		if (action == HV_FILE_RENAME && flags & RENAME_EXCHANGE)
			record->header.flags |= HV_FILE_EXCHANGE;
		put_directory_of(slot, target_directory, target, HV_FILE_TARGET_INNER);
	}
	record->strings[HV_FILE_NAME] = put_user_string(slot, (void *)name);
	if (target)
		record->strings[HV_FILE_TARGET_NAME] = put_user_string(slot, (void *)target);
	put_texts(slot, registers, key);
	if (error > 0) {
		send_pending(slot, NULL);
	} else {
		record->error = error;
		record_send(slot);
	}
	return 0;
}

/* How it ended; 1: it is yet to be told (spelled_begins), which a function of this depth can't. */
__noinline int spelled_ends(int result)
{
	struct pending *pending = pending_find();

	if (!pending)
		return 0;
	if (pending->action == ACTION_UNREAD) {
		pending_forget(pending);
		return 1;
	}
	/* An object is that of a descriptor, which is still open; if not, the reads fault safely. */
	result_of_pending(NULL, result, (void *)pending->object, ~0ULL);
	return 0;
}

#endif
