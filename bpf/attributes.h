/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is said of an object: mode, owner, times, length, extended attributes, flags. The
 * hooks by path carry the mount; security_inode_setattr sees all the rest (times, nfsd,
 * the layers of overlays, chown where the path hook is inlined). notify_change() and the
 * vfs_* functions tell the result.
 */
#ifndef HV_ATTRIBUTES_H
#define HV_ATTRIBUTES_H

#include "names.h"

static __always_inline __u64 judge_dentry(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode ? judge_kept(inode, dentry) : WATCH_NOTHING;
}

static __noinline int attribute_begins(struct act *act, struct dentry *dentry, struct vfsmount *mount)
{
	if (!act)
		return 0;
	act->word = judge_dentry(dentry);
	if (!watch_hit(act->word))
		return 0;
	act->flags = HV_FILE_PENDING;
	act->dentry = dentry;
	act->mount = mount;
	return act_send(act);
}

/* int security_path_chmod(const struct path *path, umode_t mode) */
static __always_inline int chmod_begins(struct path *path, __u32 mode)
{
	struct act act = { .action = HV_FILE_CHMOD, .value = mode & 07777 };

	return path ? attribute_begins(&act, path->dentry, path->mnt) : 0;
}

SEC("fentry/security_path_chmod")
int BPF_PROG(file_chmod_fentry, struct path *path, unsigned short mode)
{
	return chmod_begins(path, mode);
}

SEC("lsm/path_chmod")
int BPF_PROG(file_chmod_lsm, struct path *path, unsigned short mode, int ret)
{
	chmod_begins(path, mode);
	return 0;
}

/* int security_path_chown(const struct path *path, kuid_t uid, kgid_t gid); all ones: not changed */
static __always_inline __u64 id_asked_for(__u32 id)
{
	return id == ~0u ? ~0ULL : id;
}

static __always_inline int chown_begins(struct path *path, __u32 uid, __u32 gid)
{
	struct act act = { .action = HV_FILE_CHOWN, .value = id_asked_for(uid), .value_2 = id_asked_for(gid) };

	return path ? attribute_begins(&act, path->dentry, path->mnt) : 0;
}

SEC("fentry/security_path_chown")
int BPF_PROG(file_chown_fentry, struct path *path)
{
	return chown_begins(path, context_argument(ctx, 1), context_argument(ctx, 2));
}

SEC("lsm/path_chown")
int BPF_PROG(file_chown_lsm, struct path *path)
{
	chown_begins(path, context_argument(ctx, 1), context_argument(ctx, 2));
	return 0;
}

/* int security_path_truncate(const struct path *path); int security_file_truncate(struct file *file), 6.2: by a handle */
static __always_inline int truncate_begins(struct path *path)
{
	struct act act = { .action = HV_FILE_TRUNCATE, .value = ~0ULL };

	return attribute_begins(&act, path->dentry, path->mnt);
}

SEC("fentry/security_path_truncate")
int BPF_PROG(file_truncate_fentry, struct path *path)
{
	return path ? truncate_begins(path) : 0;
}

SEC("lsm/path_truncate")
int BPF_PROG(file_truncate_lsm, struct path *path, int ret)
{
	if (path)
		truncate_begins(path);
	return 0;
}

SEC("fentry/security_file_truncate")
int BPF_PROG(file_ftruncate_fentry, struct file *file)
{
	return file ? truncate_begins(&file->f_path) : 0;
}

SEC("lsm/file_truncate")
int BPF_PROG(file_ftruncate_lsm, struct file *file, int ret)
{
	if (file)
		truncate_begins(&file->f_path);
	return 0;
}

/* Whether the task is already at this: what a path hook began, or an overlay for one of its layers. */
static __always_inline bool attribute_is_under_way(struct dentry *dentry, __u32 valid)
{
	struct pending *pending = pending_find();
	__u32 asked;

	if (!pending)
		return false;
	switch (pending->action) {
	case HV_FILE_CHMOD: asked = ATTR_MODE; break;
	case HV_FILE_CHOWN: asked = ATTR_UID | ATTR_GID; break;
	case HV_FILE_TRUNCATE: asked = ATTR_SIZE; break;
	case HV_FILE_UTIMES: asked = ATTR_ATIME | ATTR_MTIME; break;
	default: return false;
	}
	if (!(valid & asked))
		return false;
	return pending->object == (__u64)dentry ? pending->action != HV_FILE_UTIMES : pending->overlay;
}

/* int security_inode_setattr(struct mnt_idmap *, struct dentry *dentry, struct iattr *attr); without the first before 6.0 */
static __noinline int setattr_begins(struct dentry *dentry, struct iattr *attr)
{
	__u32 valid = BPF_CORE_READ(attr, ia_valid);
	struct act act = {};

	if (valid & ATTR_SIZE) {
		act.action = HV_FILE_TRUNCATE;
		act.value = BPF_CORE_READ(attr, ia_size);
	} else if (valid & (ATTR_UID | ATTR_GID)) {
		act.action = HV_FILE_CHOWN;
		act.value = valid & ATTR_UID ? BPF_CORE_READ(attr, ia_uid.val) : ~0ULL;
		act.value_2 = valid & ATTR_GID ? BPF_CORE_READ(attr, ia_gid.val) : ~0ULL;
	} else if (valid & (ATTR_KILL_SUID | ATTR_KILL_SGID)) {
		/* What a write takes away is the write's. */
		return 0;
	} else if (valid & ATTR_MODE) {
		act.action = HV_FILE_CHMOD;
		act.value = BPF_CORE_READ(attr, ia_mode) & 07777;
	} else if (valid & (ATTR_ATIME | ATTR_MTIME)) {
		act.action = HV_FILE_UTIMES;
	} else {
		return 0;
	}
	if (attribute_is_under_way(dentry, valid))
		return 0;
	return attribute_begins(&act, dentry, NULL);
}

SEC("fentry/security_inode_setattr")
int file_setattr_fentry(unsigned long long *context)
{
	return setattr_begins(SHIFTED_DENTRY(context, HV_AT_SETATTR), (void *)context_argument(context, settings.dentry_at[HV_AT_SETATTR] + 1));
}

SEC("lsm/inode_setattr")
int file_setattr_lsm(unsigned long long *context)
{
	setattr_begins(SHIFTED_DENTRY(context, HV_AT_SETATTR), (void *)context_argument(context, settings.dentry_at[HV_AT_SETATTR] + 1));
	return 0;
}

/* int notify_change(struct mnt_idmap *, struct dentry *dentry, struct iattr *attr, struct inode **delegated) -- fs/attr.c */
SEC("fexit/notify_change")
int file_setattr_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_NOTIFY_CHANGE);
	struct iattr *attr = (void *)context_argument(context, settings.dentry_at[HV_AT_NOTIFY_CHANGE] + 1);
	__u64 size = BPF_CORE_READ(attr, ia_valid) & ATTR_SIZE ? BPF_CORE_READ(attr, ia_size) : ~0ULL;

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_NOTIFY_CHANGE), dentry, size);
}

/*
 * int security_inode_setxattr(struct mnt_idmap *, struct dentry *dentry, const char *name,
 *     const void *value, size_t size, int flags); POSIX ACLs have hooks of their own from 6.2.
 */
static __always_inline int xattr_begins(__u32 action, const unsigned long long *context, __u32 which, bool sized)
{
	struct act act = {};
	__u32 at = settings.dentry_at[which];

	act.action = action;
	act.text = (void *)context_argument(context, at + 1);
	if (sized)
		act.value = context_argument(context, at + 3);
	return attribute_begins(&act, (void *)context_argument(context, at), NULL);
}

SEC("fentry/security_inode_setxattr")
int file_setxattr_fentry(unsigned long long *context)
{
	return xattr_begins(HV_FILE_SETXATTR, context, HV_AT_SETXATTR, true);
}

SEC("lsm/inode_setxattr")
int file_setxattr_lsm(unsigned long long *context)
{
	xattr_begins(HV_FILE_SETXATTR, context, HV_AT_SETXATTR, true);
	return 0;
}

SEC("fexit/vfs_setxattr")
int file_setxattr_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_SETXATTR);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_SETXATTR), dentry, ~0ULL);
}

SEC("fentry/security_inode_removexattr")
int file_removexattr_fentry(unsigned long long *context)
{
	return xattr_begins(HV_FILE_REMOVEXATTR, context, HV_AT_REMOVEXATTR, false);
}

SEC("lsm/inode_removexattr")
int file_removexattr_lsm(unsigned long long *context)
{
	xattr_begins(HV_FILE_REMOVEXATTR, context, HV_AT_REMOVEXATTR, false);
	return 0;
}

SEC("fexit/vfs_removexattr")
int file_removexattr_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_REMOVEXATTR);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_REMOVEXATTR), dentry, ~0ULL);
}

SEC("fentry/security_inode_set_acl")
int file_set_acl_fentry(unsigned long long *context)
{
	return xattr_begins(HV_FILE_SETXATTR, context, HV_AT_SET_ACL, false);
}

SEC("lsm/inode_set_acl")
int file_set_acl_lsm(unsigned long long *context)
{
	xattr_begins(HV_FILE_SETXATTR, context, HV_AT_SET_ACL, false);
	return 0;
}

SEC("fexit/vfs_set_acl")
int file_set_acl_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_SET_ACL);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_SET_ACL), dentry, ~0ULL);
}

SEC("fentry/security_inode_remove_acl")
int file_remove_acl_fentry(unsigned long long *context)
{
	return xattr_begins(HV_FILE_REMOVEXATTR, context, HV_AT_REMOVE_ACL, false);
}

SEC("lsm/inode_remove_acl")
int file_remove_acl_lsm(unsigned long long *context)
{
	xattr_begins(HV_FILE_REMOVEXATTR, context, HV_AT_REMOVE_ACL, false);
	return 0;
}

SEC("fexit/vfs_remove_acl")
int file_remove_acl_result(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_VFS_REMOVE_ACL);

	return result_of_pending(dentry, SHIFTED_RESULT(context, HV_AT_VFS_REMOVE_ACL), dentry, ~0ULL);
}

/* Flags that the inode keeps in common with all file systems (include/linux/fs.h, S_*), as FS_*_FL. */
static __always_inline __u64 inode_flags(struct inode *inode)
{
	unsigned int flags = BPF_CORE_READ(inode, i_flags);

	return (flags & 1 ? 0x8 : 0) | (flags & 2 ? 0x80 : 0) | (flags & 4 ? 0x20 : 0) | (flags & 8 ? 0x10 : 0) | (flags & 64 ? 0x10000 : 0);
}

/*
 * int vfs_fileattr_set(struct mnt_idmap *, struct dentry *dentry, struct fileattr *fa) -- fs/file_attr.c;
 * FS_IOC_SETFLAGS and its like. Not security_file_ioctl: that runs on every ioctl of every
 * virtual CPU.
 */
SEC("fentry/vfs_fileattr_set")
int file_setflags(unsigned long long *context)
{
	struct dentry *dentry = SHIFTED_DENTRY(context, HV_AT_FILEATTR);
	void *attributes = (void *)context_argument(context, settings.dentry_at[HV_AT_FILEATTR] + 1);
	struct act act = { .action = HV_FILE_SETFLAGS };
	struct pending *pending = pending_find();

	/* An overlay's own, for its layer. */
	if (pending && pending->action == HV_FILE_SETFLAGS && pending->overlay && pending->object != (__u64)dentry)
		return 0;
	act.value = bpf_core_type_exists(struct file_kattr) ? BPF_CORE_READ((struct file_kattr *)attributes, flags)
							     : BPF_CORE_READ((struct fileattr *)attributes, flags);
	act.value_2 = inode_flags(BPF_CORE_READ(dentry, d_inode));
	return attribute_begins(&act, dentry, NULL);
}

SEC("fexit/vfs_fileattr_set")
int file_setflags_result(unsigned long long *context)
{
	return result_of_pending(SHIFTED_DENTRY(context, HV_AT_FILEATTR), SHIFTED_RESULT(context, HV_AT_FILEATTR), NULL, ~0ULL);
}

/* int vfs_ioc_setflags_prepare(struct inode *inode, unsigned int oldflags, unsigned int flags) -- fs/inode.c, before 5.13 */
SEC("fexit/vfs_ioc_setflags_prepare")
int file_setflags_prepared(unsigned long long *context)
{
	struct inode *inode = (void *)context_argument(context, 0);
	struct act act = { .action = HV_FILE_SETFLAGS };

	act.dentry = inode_alias(inode);
	if (!act.dentry)
		return 0;
	act.word = judge_kept(inode, act.dentry);
	if (!watch_hit(act.word))
		return 0;
	act.value_2 = context_argument(context, 1);
	act.value = context_argument(context, 2);
	act.error = (int)context_argument(context, 3);
	return act_send(&act);
}

#endif
