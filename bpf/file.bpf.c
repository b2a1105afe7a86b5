// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Changes of watched files, by hooks that see the object: create, write, rename, delete. */
#include "lib/file.h"
#include "lib/file_spelled.h"
#include "lib/hint.h"
#include "lib/syscall.h"

/*
 * int security_file_open(struct file *file) -- security/security.c
 * A file that this open made. The direct loads (typed pointers) are what every
 * open on the machine pays.
 */
static __always_inline int on_open(struct file *file)
{
	__u64 word;

	if (!(file->f_mode & FMODE_CREATED))
		return settings.module_hints ? hint_open(file) : 0;
	word = judge_name(BPF_CORE_READ(file, f_path.dentry, d_parent));
	if (watch_hit(word))
		file_created(file, word);
	return 0;
}

SEC("fentry/security_file_open")
int BPF_PROG(file_open_fentry, struct file *file)
{
	return on_open(file);
}

SEC("lsm/file_open")
int BPF_PROG(file_open_lsm, struct file *file, int ret)
{
	on_open(file);
	return 0;
}

/*
 * The choke point of a change: the functions that set a file's time stamps run on
 * writes only, and on the first store through a shared mapping. Which of them are
 * attached is the loader's choice, so that each write passes exactly one
 * (Probes/Hook.swift, changeSets). All that unwatched writes pay is here: three loads and
 * one look-up.
 */
static __always_inline int on_change(struct file *file)
{
	struct inode *inode = file->f_inode;
	__u32 generation = inode->i_generation;
	__u64 word;

	if (!verdict_kept(inode->i_ino, inode->i_sb->s_dev, generation, &word)) {
		/* Pipes and devices have time stamps as well. */
		if ((inode->i_mode & 0170000) != 0100000)
			return 0;
		word = judge_object(inode, file->f_path.dentry);
	}
	if (!watch_hit(word)) {
		/* A layer below: the change is one of the overlay's file as well. */
		if (!watch_overlays || !(file->f_mode & FMODE_BACKING))
			return 0;
		word = judge_overlaid(file);
		if (!watch_hit(word))
			return 0;
	}
	return file_changed(file, word, false);
}

/* int file_update_time(struct file *file) -- fs/inode.c */
SEC("fentry/file_update_time")
int BPF_PROG(file_change_update_time, struct file *file)
{
	return on_change(file);
}

/* static int file_modified_flags(struct file *file, int flags) -- fs/inode.c, 6.0 */
SEC("fentry/file_modified_flags")
int BPF_PROG(file_change_modified_flags, struct file *file)
{
	return on_change(file);
}

/* int file_modified(struct file *file) -- fs/inode.c */
SEC("fentry/file_modified")
int BPF_PROG(file_change_modified, struct file *file)
{
	return on_change(file);
}

/* int kiocb_modified(struct kiocb *iocb) -- fs/inode.c, 6.0 */
SEC("fentry/kiocb_modified")
int BPF_PROG(file_change_kiocb, struct kiocb *iocb)
{
	return on_change(iocb->ki_filp);
}

/* static int file_update_time_flags(struct file *file, unsigned int flags) -- fs/inode.c, 7.0 */
SEC("fentry/file_update_time_flags")
int BPF_PROG(file_change_update_time_flags, struct file *file)
{
	return on_change(file);
}

/*
 * The last close. int security_file_release(struct file *file), 6.9, or
 * void __fput(struct file *file) -- fs/file_table.c. The path is still valid.
 */
static __always_inline int on_release(struct file *file)
{
	struct handle_key key = { .file = (__u64)file };

	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	if (bpf_map_lookup_elem(&hv_handles, &key))
		file_closed(file);
	return 0;
}

SEC("fentry/__fput")
int BPF_PROG(file_close_fentry, struct file *file)
{
	return on_release(file);
}

SEC("lsm/file_release")
int BPF_PROG(file_close_lsm, struct file *file)
{
	on_release(file);
	return 0;
}

/*
 * int security_path_rename(const struct path *old_dir, struct dentry *old_dentry,
 *     const struct path *new_dir, struct dentry *new_dentry, unsigned int flags) -- security/security.c
 */
static __always_inline int rename_begins(void *context, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	struct inode *source, *directory, *victim;
	__u64 word;

	/* The checks are the verifier's: from 7.x pointers of LSM hooks may be NULL for it. */
	if (!old || !new || !old_dir || !new_dir)
		return 0;
	source = old->d_inode;
	directory = new_dir->dentry->d_inode;
	if (!source || !directory)
		return 0;
	/* Source, destination directory, victim: whichever is watched. */
	word = JUDGE_DIRECT(source, judge_object(source, old));
	if (!watch_hit(word))
		word = JUDGE_DIRECT(directory, judge_name(new_dir->dentry));
	if (!watch_hit(word)) {
		victim = new->d_inode;
		if (!victim)
			return 0;
		word = JUDGE_DIRECT(victim, judge_object(victim, new));
		if (!watch_hit(word))
			return 0;
	}
	/* The flags; an LSM hook has had them since 5.19. */
	return own_act(word) ? 0 : rename_report(old_dir, old, new_dir, new, word, context_argument(context, 4));
}

SEC("fentry/security_path_rename")
int BPF_PROG(file_rename_fentry, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	return rename_begins(ctx, old_dir, old, new_dir, new);
}

SEC("lsm/path_rename")
int BPF_PROG(file_rename_lsm, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	rename_begins(ctx, old_dir, old, new_dir, new);
	return 0;
}

/*
 * int vfs_rename(struct renamedata *rd) -- fs/namei.c; six arguments before 5.12:
 * (old_dir, old_dentry, new_dir, new_dentry, delegated_inode, flags)
 */
SEC("fexit/vfs_rename")
int file_rename_result(unsigned long long *context)
{
	void *from, *to;
	int result;

	if (bpf_core_type_exists(struct renamedata)) {
		struct renamedata *data = (void *)context_argument(context, 0);
		struct renamedata___before_6_17 *older = (void *)data;

		if (bpf_core_field_exists(older->old_dir)) {
			from = BPF_CORE_READ(older, old_dir);
			to = BPF_CORE_READ(older, new_dir);
		} else {
			from = BPF_CORE_READ(data, old_parent);
			to = BPF_CORE_READ(data, new_parent);
		}
		result = context_argument(context, 1);
		if (from != to && !result) {
			name_moved(BPF_CORE_READ(data, old_dentry));
			name_moved(BPF_CORE_READ(data, new_dentry));
		}
	} else {
		from = (void *)context_argument(context, 0);
		to = (void *)context_argument(context, 2);
		result = context_argument(context, 6);
		if (from != to && !result) {
			name_moved((void *)context_argument(context, 1));
			name_moved((void *)context_argument(context, 3));
		}
	}
	return result_of_pending(result);
}

/* int security_path_unlink(const struct path *dir, struct dentry *dentry) -- security/security.c */
static __always_inline int unlink_begins(struct path *dir, struct dentry *dentry)
{
	struct inode *inode;
	__u64 word;

	if (!dir || !dentry)
		return 0;
	inode = dentry->d_inode;
	if (!inode)
		return 0;
	word = JUDGE_DIRECT(inode, judge_object(inode, dentry));
	return !watch_hit(word) || own_act(word) ? 0 : unlink_report(dir, dentry, word);
}

SEC("fentry/security_path_unlink")
int BPF_PROG(file_unlink_fentry, struct path *dir, struct dentry *dentry)
{
	return unlink_begins(dir, dentry);
}

SEC("lsm/path_unlink")
int BPF_PROG(file_unlink_lsm, struct path *dir, struct dentry *dentry, int ret)
{
	unlink_begins(dir, dentry);
	return 0;
}

/*
 * int vfs_unlink(struct mnt_idmap *, struct inode *dir, struct dentry *, struct inode **delegated)
 * -- fs/namei.c; without the first argument before 5.12.
 */
SEC("fexit/vfs_unlink")
int file_unlink_result(unsigned long long *context)
{
	return result_of_pending(context_argument(context, settings.unlink_arguments));
}

/* Identities of this process's own open handles, for the watch set: `generation` can't be had from user space everywhere. */
SEC("iter/task_file")
int file_identities(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct hv_identity identity = {};

	if (!file || !task || task->tgid != (int)settings.own_pid)
		return 0;
	identity.fd = ctx->fd;
	inode_key(&identity.key, file->f_inode);
	bpf_seq_write(ctx->meta->seq, &identity, sizeof(identity));
	return 0;
}

/*
 * Where the kernel refuses the programs above: system call tracepoints, which put
 * every system call of the machine on the slow path. The table look-up comes first;
 * it is what all others pay.
 *
 * TP_PROTO(struct pt_regs *regs, long id) -- include/trace/events/syscalls.h
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(file_tracepoint_enter, struct pt_regs *regs, long id)
{
	bool compat = syscall_is_compat();
	__u32 call = file_call(id, compat);
	const char *name;
	int directory = AT_FDCWD;
	__u64 word;

	if (call == CALL_CLOSE || call == CALL_REPLACE) {
		struct file *file;

		if (!(settings.file_operations & HV_OPERATION_CLOSE))
			return 0;
		file = file_of_descriptor(call_argument(regs, compat, call == CALL_CLOSE ? 1 : 2));
		return file ? handle_maybe_closed(file) : 0;
	}
	if (call == CALL_RENAME && settings.file_operations & HV_OPERATION_RENAME)
		return spelled_rename(AT_FDCWD, (void *)call_argument(regs, compat, 1), AT_FDCWD, (void *)call_argument(regs, compat, 2));
	if (call == CALL_RENAMEAT && settings.file_operations & HV_OPERATION_RENAME)
		return spelled_rename(call_argument(regs, compat, 1), (void *)call_argument(regs, compat, 2), call_argument(regs, compat, 3),
				      (void *)call_argument(regs, compat, 4));
	if ((call != CALL_UNLINK && call != CALL_UNLINKAT) || !(settings.file_operations & HV_OPERATION_DELETE))
		return 0;
	if (call == CALL_UNLINK) {
		name = (void *)call_argument(regs, compat, 1);
	} else {
		if (call_argument(regs, compat, 3) & AT_REMOVEDIR)
			return 0;
		directory = call_argument(regs, compat, 1);
		name = (void *)call_argument(regs, compat, 2);
	}
	word = judge_spelled(directory, name);
	if (word != UNDECIDED && !watch_hit(word))
		return 0;
	return spelled_begins(HV_FILE_DELETE, word, directory, name);
}

/* TP_PROTO(struct pt_regs *regs, long ret) -- include/trace/events/syscalls.h */
SEC("tp_btf/sys_exit")
int BPF_PROG(file_tracepoint_exit, struct pt_regs *regs, long result)
{
	bool compat = syscall_is_compat();
	__u32 call = file_call(syscall_number(regs), compat);
	struct file *file;
	__u64 word;

	if (!call)
		return 0;
	if (call == CALL_OPEN) {
		if (result < 0 || !(settings.file_operations & HV_OPERATION_CREATE))
			return 0;
		file = file_of_descriptor(result);
		if (!file || !(BPF_CORE_READ(file, f_mode) & FMODE_CREATED))
			return 0;
		word = judge_name(BPF_CORE_READ(file, f_path.dentry, d_parent));
		return watch_hit(word) ? file_created(file, word) : 0;
	}
	if (call == CALL_WRITE_1 || call == CALL_WRITE_3 || call == CALL_ALLOCATE) {
		struct inode *inode;

		if (!(settings.file_operations & HV_OPERATION_WRITE) || (call == CALL_ALLOCATE ? result != 0 : result <= 0))
			return 0;
		file = file_of_descriptor(call_argument(regs, compat, call == CALL_WRITE_3 ? 3 : 1));
		if (!file)
			return 0;
		inode = BPF_CORE_READ(file, f_inode);
		if ((BPF_CORE_READ(inode, i_mode) & 0170000) != 0100000)
			return 0;
		word = judge_kept(inode, BPF_CORE_READ(file, f_path.dentry));
		return watch_hit(word) ? file_changed(file, word, true) : 0;
	}
	if (call < CALL_RENAME)
		return 0;
	/* What moved is not known here: nothing that is kept of inodes counts any more. */
	if ((call == CALL_RENAME || call == CALL_RENAMEAT) && !result)
		count(&watch_epoch);
	return result_of_pending(result);
}

#define DESCRIPTORS_LOOKED_AT 256
#define DESCRIPTORS_CLOSED 16

/* The first descriptor from `from` on whose handle is in the table, or -1. Global, so that the verifier walks its loop once. */
__noinline int next_changed(int from)
{
	for (int round = 0; round < DESCRIPTORS_LOOKED_AT; round++) {
		int descriptor = from + round;
		struct handle_key key = { .file = (__u64)file_of_descriptor(descriptor) };

		if (key.file && bpf_map_lookup_elem(&hv_handles, &key))
			return descriptor;
	}
	return -1;
}

/*
 * A process that leaves without closing: its files are still there at this point
 * (do_exit() calls exit_files() later). Looked through only where it has changed a
 * watched file.
 *
 * TP_PROTO(struct task_struct *p) -- include/trace/events/sched.h
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(file_tracepoint_process_exit, struct task_struct *task)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	int descriptor = 0;

	if (BPF_CORE_READ(task, signal, live.counter) != 0 || !bpf_map_lookup_elem(&hv_writers, &pid))
		return 0;
	bpf_map_delete_elem(&hv_writers, &pid);
	for (int closed = 0; closed < DESCRIPTORS_CLOSED; closed++) {
		descriptor = next_changed(descriptor);
		if (descriptor < 0)
			break;
		handle_maybe_closed(file_of_descriptor(descriptor));
		descriptor++;
	}
	return 0;
}
