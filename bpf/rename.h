/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names that move: told like those that come and go (names.h), and what is kept of names and verdicts is dropped. */
#ifndef HV_RENAME_H
#define HV_RENAME_H

#include "names.h"

/*
 * Of a typed dentry. The test is not for the verifier, which on 6.8 to 6.12 takes the inode of a
 * trusted dentry for one that is there: a load through a negative dentry's would be a
 * kernel's page fault.
 */
static __always_inline bool is_folder(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return inode && (inode->i_mode & S_IFMT) == S_IFDIR;
}

/* Whether a rename gives a folder another name. Typed. */
static __always_inline bool names_change(struct dentry *old, struct dentry *new)
{
	return is_folder(old) || is_folder(new);
}

/*
 * int security_path_rename(const struct path *old_dir, struct dentry *old_dentry,
 *     const struct path *new_dir, struct dentry *new_dentry, unsigned int flags) -- security/security.c
 */
static __always_inline int rename_begins(void *context, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	struct inode *source, *directory, *victim;
	struct act act = { .action = HV_FILE_RENAME, .flags = HV_FILE_PENDING };
	__u64 word;

	if (!old || !new || !old_dir || !new_dir)
		return 0;
	source = old->d_inode;
	directory = new_dir->dentry->d_inode;
	if (!source || !directory)
		return 0;
	if (names_change(old, new))
		count(&names_epoch);
	/* Source, destination directory, victim: whichever is watched. */
	word = JUDGE_DIRECT(source, judge_object(source, old));
	if (!watch_hit(word))
		word = JUDGE_DIRECT(directory, judge_name(new_dir->dentry));
	if (!watch_hit(word)) {
		victim = new->d_inode;
		if (!victim)
			return 0;
		word = JUDGE_DIRECT(victim, judge_leaving(victim, new));
		if (!watch_hit(word))
			return 0;
	}
	/* The flags; an LSM hook has had them since 5.19. */
	if (context_argument(context, 4) & RENAME_EXCHANGE)
		act.flags |= HV_FILE_EXCHANGE;
	act.word = word;
	act.dentry = old;
	act.mount = old_dir->mnt;
	act.target = new;
	act.target_mount = new_dir->mnt;
	act_send_typed(&act);
	victim = new->d_inode;
	if (victim && !(act.flags & HV_FILE_EXCHANGE))
		name_leaves(victim);
	return 0;
}

/*
 * What is kept of names that are about to have another parent, after they were judged by
 * the one they have. The result does the same again, for what was judged meanwhile; it may be
 * skipped under preemption, and this, on LSM, is not. Typed.
 */
static __noinline int rename_forgets(struct path *new_dir, struct dentry *old, struct dentry *new)
{
	struct inode *inode = old->d_inode;
	struct hv_inode_key key = {};

	if (old->d_parent == new_dir->dentry || !inode)
		return 0;
	if (names_change(old, new)) {
		count(&watch_epoch);
		return 0;
	}
	key.inode = inode->i_ino;
	key.device = inode->i_sb->s_dev;
	key.generation = inode->i_generation;
	verdict_drop(&key);
	inode = new->d_inode;
	if (inode) {
		key.inode = inode->i_ino;
		key.generation = inode->i_generation;
		verdict_drop(&key);
	}
	return 0;
}

SEC("fentry/security_path_rename")
int BPF_PROG(file_rename_fentry, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	rename_begins(ctx, old_dir, old, new_dir, new);
	return old && new && new_dir ? rename_forgets(new_dir, old, new) : 0;
}

SEC("lsm/path_rename")
int BPF_PROG(file_rename_lsm, struct path *old_dir, struct dentry *old, struct path *new_dir, struct dentry *new)
{
	rename_begins(ctx, old_dir, old, new_dir, new);
	if (old && new && new_dir)
		rename_forgets(new_dir, old, new);
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
	struct dentry *old, *new;
	int result;

	if (bpf_core_type_exists(struct renamedata)) {
		/* Typed: all renames of the machine pay for this. */
		struct renamedata *data = (void *)TYPED_ARGUMENT(context, 0);
		struct renamedata___before_6_17 *older = (void *)data;

		if (bpf_core_field_exists(older->old_dir)) {
			from = older->old_dir;
			to = older->new_dir;
		} else {
			from = data->old_parent;
			to = data->new_parent;
		}
		old = data->old_dentry;
		new = data->new_dentry;
		result = TYPED_ARGUMENT(context, 1);
	} else {
		from = (void *)TYPED_ARGUMENT(context, 0);
		old = (void *)TYPED_ARGUMENT(context, 1);
		to = (void *)TYPED_ARGUMENT(context, 2);
		new = (void *)TYPED_ARGUMENT(context, 3);
		result = TYPED_ARGUMENT(context, 6);
	}
	if (names_change(old, new))
		count(&names_epoch);
	if (from != to && !result) {
		name_moved(old);
		name_moved(new);
	}
	return result_of_pending(old, result, NULL, ~0ULL);
}

#endif
