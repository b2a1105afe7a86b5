/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Mounts, wherever they are made: rare, so all of them go to user space, which says what
 * lies over or below a watched tree and settles the watch set anew. Results come from
 * the system calls.
 */
#ifndef HV_MOUNTS_H
#define HV_MOUNTS_H

#include "attributes.h"

/* include/uapi/linux/mount.h */
#define CLONE_NEWNS 0x20000ul /* include/uapi/linux/sched.h */
#define MS_REMOUNT 32ul
#define MS_BIND 4096ul
#define MS_MOVE 8192ul
#define MS_PROPAGATION (0xful << 17) /* MS_UNBINDABLE, _PRIVATE, _SLAVE, _SHARED */

static __noinline int mount_begins(struct act *act, struct dentry *dentry, struct vfsmount *mount)
{
	if (!act)
		return 0;
	act->word = judge_dentry(dentry);
	if (WATCH_POLICY(act->word) & HV_WATCH_IGNORE)
		act->word = WATCH_NOTHING;
	act->flags = HV_FILE_PENDING;
	act->dentry = dentry;
	act->mount = mount;
	count(&names_epoch);
	return act_send(act);
}

/* int security_sb_mount(const char *dev_name, const struct path *path, const char *type, unsigned long flags, void *data) */
static __always_inline int sb_mount(const char *source, struct path *path, const char *type, unsigned long flags)
{
	struct act act = { .action = HV_FILE_MOUNT };

	if (!path)
		return 0;
	act.value = flags;
	act.value_2 = flags & MS_REMOUNT ? HV_MOUNT_REMOUNT
		      : flags & MS_BIND ? HV_MOUNT_BIND
		      : flags & MS_PROPAGATION ? HV_MOUNT_PROPAGATION
		      : flags & MS_MOVE ? HV_MOUNT_MOVE
					: HV_MOUNT_NEW;
	act.text = source;
	act.text_2 = type;
	return mount_begins(&act, path->dentry, path->mnt);
}

SEC("fentry/security_sb_mount")
int BPF_PROG(file_mount_fentry, const char *source, struct path *path, const char *type, unsigned long flags)
{
	return sb_mount(source, path, type, flags);
}

SEC("lsm/sb_mount")
int BPF_PROG(file_mount_lsm, const char *source, struct path *path, const char *type, unsigned long flags)
{
	sb_mount(source, path, type, flags);
	return 0;
}

/* int security_move_mount(const struct path *from_path, const struct path *to_path) */
static __always_inline int move_mount(struct path *to)
{
	struct act act = { .action = HV_FILE_MOUNT, .value_2 = HV_MOUNT_MOVE };

	return to ? mount_begins(&act, to->dentry, to->mnt) : 0;
}

SEC("fentry/security_move_mount")
int BPF_PROG(file_move_mount_fentry, struct path *from, struct path *to)
{
	return move_mount(to);
}

SEC("lsm/move_mount")
int BPF_PROG(file_move_mount_lsm, struct path *from, struct path *to, int ret)
{
	move_mount(to);
	return 0;
}

/* int security_sb_umount(struct vfsmount *mnt, int flags): what it is mounted on is told, not its root */
static __always_inline int sb_umount(struct vfsmount *mounted, __u32 flags)
{
	struct act act = { .action = HV_FILE_UMOUNT, .value = flags };
	struct mount *mount = (void *)address_number(mounted) - bpf_core_field_offset(struct mount, mnt);
	struct mount *below = BPF_CORE_READ(mount, mnt_parent);

	return mounted ? mount_begins(&act, BPF_CORE_READ(mount, mnt_mountpoint), (void *)below + bpf_core_field_offset(struct mount, mnt)) : 0;
}

SEC("fentry/security_sb_umount")
int BPF_PROG(file_umount_fentry, struct vfsmount *mount, int flags)
{
	return sb_umount(mount, flags);
}

SEC("lsm/sb_umount")
int BPF_PROG(file_umount_lsm, struct vfsmount *mount, int flags, int ret)
{
	sb_umount(mount, flags);
	return 0;
}

/* int security_sb_pivotroot(const struct path *old_path, const struct path *new_path) */
static __always_inline int pivot_root(struct path *new)
{
	struct act act = { .action = HV_FILE_MOUNT, .value_2 = HV_MOUNT_PIVOT_ROOT };

	return new ? mount_begins(&act, new->dentry, new->mnt) : 0;
}

SEC("fentry/security_sb_pivotroot")
int BPF_PROG(file_pivot_root_fentry, struct path *old, struct path *new)
{
	return pivot_root(new);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(file_pivot_root_lsm, struct path *old, struct path *new, int ret)
{
	pivot_root(new);
	return 0;
}

#define MOUNT_RESULT(call, name)                                                       \
	SEC("fexit/" SYSCALL call)                                                     \
	int name(unsigned long long *context)                                          \
	{                                                                              \
		count(&names_epoch);                                                   \
		return result_of_pending(NULL, CONTEXT_RESULT(context), NULL, ~0ULL);  \
	}

MOUNT_RESULT("mount", file_mount_result)
MOUNT_RESULT("umount", file_umount_result)
MOUNT_RESULT("move_mount", file_move_mount_result)
MOUNT_RESULT("pivot_root", file_pivot_root_result)

/*
 * struct mnt_namespace *copy_mnt_ns(unsigned long flags, struct mnt_namespace *ns, ...) -- fs/namespace.c
 * A namespace's own mounts come without any of the hooks above, and may lie at addresses that others had.
 */
SEC("fexit/copy_mnt_ns")
int file_namespace_result(unsigned long long *context)
{
	if (context_argument(context, 0) & CLONE_NEWNS)
		count(&names_epoch);
	return 0;
}

#endif
