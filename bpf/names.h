/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names that come and go (rename.h has those that move): the attempt by security_path_*, which carries the mount,
 * the result by the vfs_* function behind it. Both attach styles share a function each.
 * The checks for NULL are the verifier's: from 7.x pointers of LSM hooks may be NULL for it.
 */
#ifndef HV_NAMES_H
#define HV_NAMES_H

#include "lib/file.h"
#include "lib/syscall.h"

/* The function's dentry, and its result behind the last argument. */
#define SHIFTED_DENTRY(context, which) ((struct dentry *)context_argument(context, settings.dentry_at[which]))
#define SHIFTED_RESULT(context, which) result_value(context_argument(context, settings.result_at[which]))

/* An int, or a pointer that may be an error (vfs_mkdir from 6.15). */
static __always_inline int result_value(__u64 value)
{
	return value > -4096ULL || !(value >> 32) ? (int)value : 0;
}

/* int security_path_unlink(const struct path *dir, struct dentry *dentry); _rmdir alike */
static __always_inline int removal_begins(__u32 action, struct path *dir, struct dentry *dentry)
{
	struct act act = {};
	struct inode *inode;
	__u64 word;

	if (!dir || !dentry)
		return 0;
	inode = dentry->d_inode;
	if (!inode)
		return 0;
	word = JUDGE_DIRECT(inode, judge_leaving(inode, dentry));
	if (!watch_hit(word))
		return 0;
	act.action = action;
	act.flags = HV_FILE_PENDING;
	act.word = word;
	act.dentry = dentry;
	act.mount = dir->mnt;
	act_send_typed(&act);
	if (word & HV_WATCH_LINKED)
		name_leaves(inode);
	return 0;
}

SEC("fentry/security_path_unlink")
int BPF_PROG(file_unlink_fentry, struct path *dir, struct dentry *dentry)
{
	return removal_begins(HV_FILE_DELETE, dir, dentry);
}

SEC("lsm/path_unlink")
int BPF_PROG(file_unlink_lsm, struct path *dir, struct dentry *dentry, int ret)
{
	removal_begins(HV_FILE_DELETE, dir, dentry);
	return 0;
}

/* int vfs_unlink(struct mnt_idmap *, struct inode *dir, struct dentry *, struct inode **delegated) -- fs/namei.c; without the first before 5.12 */
SEC("fexit/vfs_unlink")
int file_unlink_result(unsigned long long *context)
{
	return result_of_pending(SHIFTED_DENTRY(context, HV_AT_VFS_UNLINK), SHIFTED_RESULT(context, HV_AT_VFS_UNLINK), NULL, ~0ULL);
}

SEC("fentry/security_path_rmdir")
int BPF_PROG(file_rmdir_fentry, struct path *dir, struct dentry *dentry)
{
	return removal_begins(HV_FILE_RMDIR, dir, dentry);
}

SEC("lsm/path_rmdir")
int BPF_PROG(file_rmdir_lsm, struct path *dir, struct dentry *dentry, int ret)
{
	removal_begins(HV_FILE_RMDIR, dir, dentry);
	return 0;
}

SEC("fexit/vfs_rmdir")
int file_rmdir_result(unsigned long long *context)
{
	return result_of_pending(SHIFTED_DENTRY(context, HV_AT_VFS_RMDIR), SHIFTED_RESULT(context, HV_AT_VFS_RMDIR), NULL, ~0ULL);
}

/* long do_rmdir(int dfd, struct filename *name) -- fs/namei.c: where vfs_rmdir() is inlined in it (5.10) */
SEC("fexit/do_rmdir")
int file_do_rmdir_result(unsigned long long *context)
{
	struct pending *pending = pending_find();

	return pending && pending->action == HV_FILE_RMDIR ? result_of_pending(NULL, context_argument(context, 2), NULL, ~0ULL) : 0;
}

/* A name that is to come into a directory. */
static __always_inline int name_begins(struct act *act, struct path *dir, struct dentry *dentry)
{
	if (!dir || !dentry)
		return 0;
	act->word = judge_name(dir->dentry);
	if (!watch_hit(act->word))
		return 0;
	act->flags = HV_FILE_PENDING;
	act->dentry = dentry;
	act->mount = dir->mnt;
	return act_send(act);
}

/* int security_path_mkdir(const struct path *dir, struct dentry *dentry, umode_t mode) */
SEC("fentry/security_path_mkdir")
int BPF_PROG(file_mkdir_fentry, struct path *dir, struct dentry *dentry, unsigned short mode)
{
	struct act act = { .action = HV_FILE_MKDIR, .value = mode };

	return name_begins(&act, dir, dentry);
}

SEC("lsm/path_mkdir")
int BPF_PROG(file_mkdir_lsm, struct path *dir, struct dentry *dentry, unsigned short mode, int ret)
{
	struct act act = { .action = HV_FILE_MKDIR, .value = mode };

	name_begins(&act, dir, dentry);
	return 0;
}

SEC("fexit/vfs_mkdir")
int file_mkdir_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_MKDIR);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_MKDIR), dentry, ~0ULL);
}

/* int security_path_symlink(const struct path *dir, struct dentry *dentry, const char *old_name) */
SEC("fentry/security_path_symlink")
int BPF_PROG(file_symlink_fentry, struct path *dir, struct dentry *dentry, const char *text)
{
	struct act act = { .action = HV_FILE_SYMLINK };

	act.text = text;
	return name_begins(&act, dir, dentry);
}

SEC("lsm/path_symlink")
int BPF_PROG(file_symlink_lsm, struct path *dir, struct dentry *dentry, const char *text, int ret)
{
	struct act act = { .action = HV_FILE_SYMLINK };

	act.text = text;
	name_begins(&act, dir, dentry);
	return 0;
}

SEC("fexit/vfs_symlink")
int file_symlink_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_SYMLINK);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_SYMLINK), dentry, ~0ULL);
}

/*
 * int security_path_mknod(const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev)
 * Every open that may create comes here too, with the type of a regular file: those are
 * told by the open itself, and what mknod(2) makes of that type by vfs_create below.
 */
static __always_inline int mknod_begins(struct path *dir, struct dentry *dentry, __u32 mode, __u32 device)
{
	struct act act = { .action = HV_FILE_MKNOD };

	if ((mode & S_IFMT) == S_IFREG || !(mode & S_IFMT))
		return 0;
	act.value = mode;
	/* As the caller gave it: new_encode_dev() (include/linux/kdev_t.h). */
	act.value_2 = (device & 0xfff00) << 12 | (device & 0xff) | (device >> 12 & 0xfff00);
	return name_begins(&act, dir, dentry);
}

SEC("fentry/security_path_mknod")
int BPF_PROG(file_mknod_fentry, struct path *dir, struct dentry *dentry, unsigned short mode, unsigned int device)
{
	return mknod_begins(dir, dentry, mode, device);
}

SEC("lsm/path_mknod")
int BPF_PROG(file_mknod_lsm, struct path *dir, struct dentry *dentry, unsigned short mode, unsigned int device, int ret)
{
	mknod_begins(dir, dentry, mode, device);
	return 0;
}

SEC("fexit/vfs_mknod")
int file_mknod_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_MKNOD);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_MKNOD), dentry, ~0ULL);
}

/* int vfs_create(struct mnt_idmap *, struct inode *dir, struct dentry *, umode_t, bool want_excl): mknod(2) of a regular file, nfsd */
SEC("fexit/vfs_create")
int file_create_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_CREATE);
	struct act act = { .action = HV_FILE_CREATE };

	if (SHIFTED_RESULT(context, HV_AT_VFS_CREATE))
		return 0;
	act.word = judge_name(BPF_CORE_READ(dentry, d_parent));
	if (!watch_hit(act.word))
		return 0;
	act.dentry = dentry;
	return act_send(&act);
}

/*
 * int security_path_link(struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)
 * From now on the file has a name that other folders lie above: it is watched by its
 * own inode.
 */
static __always_inline int link_begins(struct dentry *old, struct path *dir, struct dentry *new)
{
	struct act act = { .action = HV_FILE_LINK };
	struct inode *inode;

	if (!old || !dir || !new)
		return 0;
	inode = old->d_inode;
	if (!inode)
		return 0;
	act.word = judge_object(inode, old);
	if (watch_hit(act.word))
		watch_adopt(inode, act.word);
	else
		act.word = judge_name(dir->dentry);
	if (!watch_hit(act.word))
		return 0;
	act.flags = HV_FILE_PENDING;
	act.dentry = old;
	act.mount = dir->mnt; /* a link stays on its mount */
	act.target = new;
	act.target_mount = dir->mnt;
	return act_send(&act);
}

SEC("fentry/security_path_link")
int BPF_PROG(file_link_fentry, struct dentry *old, struct path *dir, struct dentry *new)
{
	return link_begins(old, dir, new);
}

SEC("lsm/path_link")
int BPF_PROG(file_link_lsm, struct dentry *old, struct path *dir, struct dentry *new, int ret)
{
	link_begins(old, dir, new);
	return 0;
}

/* int vfs_link(struct dentry *old_dentry, struct mnt_idmap *, struct inode *dir, struct dentry *new_dentry, struct inode **delegated) */
SEC("fexit/vfs_link")
int file_link_result(unsigned long long *context)
{
	struct dentry *old = SHIFTED_DENTRY(context, HV_AT_VFS_LINK);
	struct dentry *new = (void *)context_argument(context, settings.result_at[HV_AT_VFS_LINK] - 2);
	int result = SHIFTED_RESULT(context, HV_AT_VFS_LINK);
	__u64 word;

	if (!result) {
		struct inode *inode = BPF_CORE_READ(old, d_inode);

		word = judge_name(BPF_CORE_READ(new, d_parent));
		if (watch_hit(word))
			watch_adopt(inode, word);
	}
	return result_of_pending(old, result, old, ~0ULL);
}

#endif
