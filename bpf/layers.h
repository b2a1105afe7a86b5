/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What overlayfs does to its layers and nfsd to what it exports: by the vfs_* functions
 * alone, without the hooks that carry a path. Attached only while a watched tree holds a
 * layer, or nfsd runs; the results are told by the programs of names.h and rename.h.
 */
#ifndef HV_LAYERS_H
#define HV_LAYERS_H

#include "names.h"

#define PENDING_AGE_MAX 1000000000ULL /* ns; an attempt without a result by then was the task's own, earlier one */

/* Whether the path hook has told of it already, or the overlay's own operation is under way. */
static __always_inline bool is_under_way(struct dentry *dentry)
{
	struct pending *pending = pending_find();

	if (!pending || bpf_ktime_get_boot_ns() - pending->operation > PENDING_AGE_MAX)
		return false;
	return pending->overlay || pending->object == (__u64)dentry;
}

static __noinline int layer_begins(__u32 action, struct dentry *dentry, struct dentry *target, const char *text)
{
	struct act act = {};
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	if (is_under_way(dentry))
		return 0;
	act.word = inode ? judge_object(inode, dentry) : judge_name(BPF_CORE_READ(dentry, d_parent));
	if (!watch_hit(act.word) && target)
		act.word = judge_name(BPF_CORE_READ(target, d_parent));
	if (!watch_hit(act.word))
		return 0;
	act.action = action;
	act.flags = HV_FILE_PENDING;
	act.dentry = dentry;
	act.target = target;
	act.text = text;
	return act_send(&act);
}

SEC("fentry/vfs_rename")
int file_layer_rename(unsigned long long *context)
{
	if (bpf_core_type_exists(struct renamedata)) {
		struct renamedata *data = (void *)context_argument(context, 0);

		return layer_begins(HV_FILE_RENAME, BPF_CORE_READ(data, old_dentry), BPF_CORE_READ(data, new_dentry), NULL);
	}
	return layer_begins(HV_FILE_RENAME, (void *)context_argument(context, 1), (void *)context_argument(context, 3), NULL);
}

SEC("fentry/vfs_unlink")
int file_layer_unlink(unsigned long long *context)
{
	return layer_begins(HV_FILE_DELETE, SHIFTED_DENTRY(context, HV_AT_VFS_UNLINK), NULL, NULL);
}

SEC("fentry/vfs_rmdir")
int file_layer_rmdir(unsigned long long *context)
{
	return layer_begins(HV_FILE_RMDIR, SHIFTED_DENTRY(context, HV_AT_VFS_RMDIR), NULL, NULL);
}

SEC("fentry/vfs_mkdir")
int file_layer_mkdir(unsigned long long *context)
{
	return layer_begins(HV_FILE_MKDIR, SHIFTED_DENTRY(context, HV_AT_VFS_MKDIR), NULL, NULL);
}

SEC("fentry/vfs_symlink")
int file_layer_symlink(unsigned long long *context)
{
	return layer_begins(HV_FILE_SYMLINK, SHIFTED_DENTRY(context, HV_AT_VFS_SYMLINK), NULL,
			    (void *)context_argument(context, settings.dentry_at[HV_AT_VFS_SYMLINK] + 1));
}

SEC("fentry/vfs_link")
int file_layer_link(unsigned long long *context)
{
	return layer_begins(HV_FILE_LINK, SHIFTED_DENTRY(context, HV_AT_VFS_LINK), (void *)context_argument(context, settings.result_at[HV_AT_VFS_LINK] - 2),
			    NULL);
}

#endif
