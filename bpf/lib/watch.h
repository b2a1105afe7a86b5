/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is watched: entries by inode, the nearest one above an object decides, and
 * verdicts, positive and negative, are kept by inode.
 *
 * A verdict is right for as long as the object's ancestors are: `watch_epoch` goes
 * up when user space changes the entries or a directory changes its parent, and a
 * verdict of another epoch counts for nothing. An inode number may be given to
 * another file at once, so the key has the generation, and where the file system
 * has none (0) nothing is kept. A file with several links has several parents: it
 * is judged by the parent at hand, each time.
 */
#ifndef HV_WATCH_H
#define HV_WATCH_H

#include "scratch.h"

#define HV_WATCH_LEVELS 128 /* directories walked upwards; an object deeper below its watched root is not seen */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hv_inode_key);
	__type(value, struct hv_watch);
} hv_watches SEC(".maps");

struct verdict {
	__u64 epoch;
	struct hv_watch watch;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hv_inode_key);
	__type(value, struct verdict);
} hv_verdicts SEC(".maps");

__u64 watch_epoch SEC(".data.epoch") = 1;

/* Not 0: a watched tree lies on an overlay, so that changes of its layers are judged by the overlay's path too. */
__u64 watch_overlays SEC(".data.overlays") = 0;

static __always_inline void inode_key(struct hv_inode_key *key, struct inode *inode)
{
	key->inode = BPF_CORE_READ(inode, i_ino);
	key->device = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = BPF_CORE_READ(inode, i_generation);
}

static __always_inline __u64 watch_as_word(const struct hv_watch *watch)
{
	return (__u64)watch->entry << 32 | watch->policy;
}

#define WATCH_POLICY(word) ((__u32)(word))
#define WATCH_ENTRY(word) ((__u32)((word) >> 32))
#define WATCH_NOTHING 0ULL

static __always_inline __u64 verdict_kept(const struct hv_inode_key *key, bool *found)
{
	struct verdict *verdict;

	*found = false;
	if (!key->generation)
		return WATCH_NOTHING;
	verdict = bpf_map_lookup_elem(&hv_verdicts, key);
	if (!verdict || verdict->epoch != watch_epoch)
		return WATCH_NOTHING;
	*found = true;
	return watch_as_word(&verdict->watch);
}

static __always_inline void verdict_keep(const struct hv_inode_key *key, __u64 epoch, __u64 word)
{
	struct verdict verdict = { .epoch = epoch, .watch = { .policy = WATCH_POLICY(word), .entry = WATCH_ENTRY(word) } };

	if (key->generation)
		bpf_map_update_elem(&hv_verdicts, key, &verdict, BPF_ANY);
}

/* The entry that decides for a directory and all that has no nearer one: itself, then upwards. */
static __noinline __u64 judge_directory(struct dentry *directory)
{
	struct hv_inode_key key, own = {};
	__u64 epoch = *(volatile __u64 *)&watch_epoch, word;
	struct hv_watch *watch;
	struct dentry *at = directory;
	bool found;

	inode_key(&own, BPF_CORE_READ(directory, d_inode));
	word = verdict_kept(&own, &found);
	if (found)
		return word;
	for (int level = 0; level < HV_WATCH_LEVELS; level++) {
		struct dentry *parent;

		inode_key(&key, BPF_CORE_READ(at, d_inode));
		watch = bpf_map_lookup_elem(&hv_watches, &key);
		if (watch && !(watch->policy & HV_WATCH_CHILDREN)) {
			word = watch_as_word(watch);
			break;
		}
		parent = BPF_CORE_READ(at, d_parent);
		if (parent == at)
			break;
		at = parent;
	}
	verdict_keep(&own, epoch, word);
	return word;
}

/* What decides for a name in this directory, whether it exists or not. */
static __noinline __u64 judge_name(struct dentry *directory)
{
	struct hv_inode_key key = {};
	struct hv_watch *watch;

	inode_key(&key, BPF_CORE_READ(directory, d_inode));
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	if (watch)
		return watch_as_word(watch);
	return judge_directory(directory);
}

/* What decides for an object: its own entry, or its directory's. `inode` is the dentry's. */
static __noinline __u64 judge_object(struct inode *inode, struct dentry *dentry)
{
	struct hv_inode_key key = {};
	__u64 epoch = *(volatile __u64 *)&watch_epoch, word;
	struct hv_watch *watch;

	inode_key(&key, inode);
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	word = watch ? watch_as_word(watch) : judge_name(BPF_CORE_READ(dentry, d_parent));
	/* What is kept under a directory's key is what its contents inherit (judge_directory). */
	if (BPF_CORE_READ(inode, i_nlink) <= 1 && (BPF_CORE_READ(inode, i_mode) & 0170000) != 0040000)
		verdict_keep(&key, epoch, word);
	return word;
}

/* The same, from what is kept where that still holds. */
static __noinline __u64 judge_kept(struct inode *inode, struct dentry *dentry)
{
	struct hv_inode_key key = {};
	__u64 word;
	bool found;

	inode_key(&key, inode);
	word = verdict_kept(&key, &found);
	return found ? word : judge_object(inode, dentry);
}

static __always_inline bool watch_hit(__u64 word)
{
	return WATCH_POLICY(word) && !(WATCH_POLICY(word) & HV_WATCH_IGNORE);
}

#endif
