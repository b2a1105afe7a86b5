/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The tracepoint style's acts on open files: the descriptor leads to the object. */
#ifndef HV_FILE_OPENED_H
#define HV_FILE_OPENED_H

#include "file_spelled.h"
#include "file_bytes.h"

/* include/uapi/asm-generic/fcntl.h */
#define O_ACCMODE 3
#define O_CREAT 0100
#define O_TRUNC 01000
#define CLOSE_RANGE_CLOEXEC 4 /* include/uapi/linux/close_range.h */
/* include/uapi/linux/fs.h */
#define FS_IOC_SETFLAGS 0x40086602u
#define FS_IOC32_SETFLAGS 0x40046602u
#define FS_IOC_FSSETXATTR 0x401c5820u
#define FICLONE 0x40049409u
#define FICLONERANGE 0x4020940du
#define PROC_SUPER_MAGIC 0x9fa0 /* include/uapi/linux/magic.h */
/* include/uapi/asm-generic/errno-base.h */
#define EPERM 1
#define EACCES 13
#define ETXTBSY 26
#define EROFS 30

/* Emptied by the open itself: what it had before is not known, what it is now comes as the result. */
__noinline int truncated_by_open(__u64 address)
{
	struct file *file = (struct file *)address;
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	__u64 word = judge_dentry(dentry);
	struct scratch *slot;
	struct hv_file *record;

	if (!watch_hit(word) || unwanted(word, HV_FILE_TRUNCATE))
		return 0;
	slot = record_begin(HV_FILE_TRUNCATE, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->directory_device = BPF_CORE_READ(dentry, d_sb, s_dev);
	put_paths(slot, dentry, BPF_CORE_READ(file, f_path.mnt), HV_FILE_INNER);
	send_pending(slot, dentry);
	return result_of_pending(dentry, 0, dentry, ~0ULL);
}

static __always_inline __u64 flags_of_open(__u64 registers, __u32 key)
{
	const volatile struct file_call *call = file_call(key);
	__u64 flags = call_argument(registers, key, call->flags), how = flags;

	if (call->shape == SHAPE_CREAT)
		return O_CREAT | O_TRUNC | 1;
	if (call->shape == SHAPE_OPEN_HOW && bpf_probe_read_user(&flags, sizeof(flags), (void *)how))
		return 0;
	return flags;
}

/* The end of an open: a file that it made or emptied; 1: the refusal of a change, which is to be told (spelled_begins). */
__noinline int opened(__u64 registers, __u32 key, int result)
{
	__u64 flags = flags_of_open(registers, key), word;
	struct file *file;
	__u32 mode;

	if (!(flags & (O_ACCMODE | O_CREAT | O_TRUNC)))
		return 0;
	if (result < 0) {
		if (result != -EACCES && result != -EPERM && result != -EROFS && result != -ETXTBSY)
			return 0;
		if (!(settings.file_operations & HV_OPERATION_REFUSED) || !file_call(key)->name)
			return 0;
		return 1;
	}
	if (!(flags & (O_CREAT | O_TRUNC)))
		return 0;
	file = file_of_descriptor(result);
	if (!file)
		return 0;
	mode = BPF_CORE_READ(file, f_mode);
	if (mode & FMODE_CREATED) {
		if (!(settings.file_operations & HV_OPERATION_CREATE))
			return 0;
		word = judge_name(BPF_CORE_READ(file, f_path.dentry, d_parent));
		return watch_hit(word) ? file_created(file, word) : 0;
	}
	if (!(flags & O_TRUNC) || !(settings.file_operations & HV_OPERATION_ATTRIBUTE) || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	return truncated_by_open((__u64)file);
}

/* The directory of a procfs that a file lies in at its top is `sys`. */
__noinline int lies_in_proc_sys(__u64 dentry)
{
	__u64 top = dentry;
	char name[4] = {};

	for (int level = 0; level < 16; level++) {
		__u64 parent = (__u64)BPF_CORE_READ((struct dentry *)dentry, d_parent);

		if (parent == dentry)
			break;
		top = dentry;
		dentry = parent;
	}
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ((struct dentry *)top, d_name.name));
	return name[0] == 's' && name[1] == 'y' && name[2] == 's' && !name[3];
}

/*
 * A kernel parameter. Inodes below /proc/sys come and go with the kernel's caches, and a
 * container writes the host's parameters through a procfs of its own: all are sent, and
 * the name decides.
 */
__noinline int parameter_changed(__u64 address, __u64 bytes)
{
	struct file *file = (struct file *)address;
	struct act act = { .action = HV_FILE_PARAMETER, .value = bytes };

	act.dentry = BPF_CORE_READ(file, f_path.dentry);
	act.mount = BPF_CORE_READ(file, f_path.mnt);
	return act_send(&act);
}

/* The file of a descriptor was written to. */
__noinline int descriptor_changed(__u32 descriptor, __u64 bytes)
{
	struct file *file = file_of_descriptor(descriptor);
	struct hv_inode_key key = {};
	struct inode *inode;
	__u64 word;

	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	inode_key(&key, inode);
	if (!verdict_kept(key.inode, key.device, key.generation, &word)) {
		if (!key.generation && BPF_CORE_READ(inode, i_sb, s_magic) == PROC_SUPER_MAGIC && lies_in_proc_sys((__u64)BPF_CORE_READ(file, f_path.dentry)))
			return parameter_changed((__u64)file, bytes);
		word = judge_layer(inode, BPF_CORE_READ(file, f_path.dentry));
	}
	return watch_hit(word) ? file_changed(file, inode, word, true) : 0;
}

#define O_APPEND 02000

/* Where a call that has ended wrote its bytes; all ones: not known. What goes by the handle's position may be another thread's by now. */
static __always_inline __u64 offset_of_call(__u64 registers, __u32 key, struct file *file, __u64 bytes)
{
	const volatile struct file_call *call = file_call(key);
	__u64 value = call_argument(registers, key, call->value), end;

	if (call->shape == SHAPE_UNREAD)
		return ~0ULL;
	/* Whatever offset is asked for (pwrite(2), BUGS). */
	if (BPF_CORE_READ(file, f_flags) & O_APPEND)
		return BPF_CORE_READ(file, f_inode, i_size) - bytes;
	if (call->shape == SHAPE_POINTER) {
		if (!value)
			return BPF_CORE_READ(file, f_pos) - bytes;
		return bpf_probe_read_user(&end, sizeof(end), (void *)value) ? ~0ULL : end - bytes;
	}
	if (call->shape == SHAPE_HALVES)
		value |= call_argument(registers, key, call->value + 1) << 32;
	/* pwritev2() takes -1 for the position. */
	return call->value && value != ~0ULL ? value : BPF_CORE_READ(file, f_pos) - bytes;
}

/* The bytes of a call that has ended; a global function, for the verifier. */
__noinline int call_wrote(__u64 registers, __u32 key, __u64 bytes)
{
	struct file *file = file_of_descriptor(call_argument(registers, key, file_call(key)->directory));

	return file && handle_known(file) ? file_wrote((__u64)file, bytes, offset_of_call(registers, key, file, bytes), false) : 0;
}

/* FS_XFLAG_* as FS_*_FL, where both have it. */
static __always_inline __u64 flags_of_xflags(__u32 flags)
{
	return (flags & 8 ? 0x10 : 0) | (flags & 16 ? 0x20 : 0) | (flags & 32 ? 8 : 0) | (flags & 64 ? 0x80 : 0) | (flags & 128 ? 0x40 : 0);
}

/* The flags of a file, asked to be changed by ioctl. */
__noinline int control_begins(__u64 registers, __u32 key)
{
	__u32 control = call_argument(registers, key, 2), flags = 0;

	if (control != FS_IOC_SETFLAGS && control != FS_IOC32_SETFLAGS && control != FS_IOC_FSSETXATTR)
		return 0;
	bpf_probe_read_user(&flags, sizeof(flags), (void *)call_argument(registers, key, 3));
	return handle_begins(registers, key, call_argument(registers, key, 1), HV_FILE_SETFLAGS,
			     control == FS_IOC_FSSETXATTR ? flags_of_xflags(flags) : flags);
}

/* Whether it was an ioctl that changes the contents. */
static __always_inline bool control_clones(__u32 control)
{
	return control == FICLONE || control == FICLONERANGE;
}

/* A shared mapping that can be stored to. */
__noinline int file_is_mapped(__u64 address)
{
	struct file *file = (struct file *)address;
	struct path *path = file_user_path(file);
	struct act act = { .action = HV_FILE_MMAP_WRITE };

	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	act.dentry = BPF_CORE_READ(path, dentry);
	act.word = judge_dentry(act.dentry);
	if (!watch_hit(act.word))
		return 0;
	act.mount = BPF_CORE_READ(path, mnt);
	return act_send(&act);
}

__noinline int mapped(__u64 registers, __u32 key)
{
	__u64 type = call_argument(registers, key, 4) & MAP_TYPE;
	struct file *file;

	if (!(call_argument(registers, key, 3) & PROT_WRITE) || (type != MAP_SHARED && type != MAP_SHARED_VALIDATE))
		return 0;
	file = file_of_descriptor(call_argument(registers, key, 5));
	return file ? file_is_mapped((__u64)file) : 0;
}

/* struct iocb -- include/uapi/linux/aio_abi.h */
#define IOCB_OPCODE 16
#define IOCB_DESCRIPTOR 20
#define IOCB_CMD_PWRITE 1
#define IOCB_CMD_PWRITEV 8
#define REQUESTS_LOOKED_AT 16

/* The descriptor that a request of io_submit's list writes to, or -1. */
__noinline int request_descriptor(__u64 list, __u32 number, __u32 compat)
{
	__u64 request = 0;
	int descriptor = -1;
	__u16 opcode = 0;

	if (bpf_probe_read_user(&request, compat ? 4 : 8, (void *)list + (compat ? 4 : 8) * number))
		return -1;
	bpf_probe_read_user(&opcode, sizeof(opcode), (void *)request + IOCB_OPCODE);
	bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)request + IOCB_DESCRIPTOR);
	return opcode == IOCB_CMD_PWRITE || opcode == IOCB_CMD_PWRITEV ? descriptor : -1;
}

#endif
