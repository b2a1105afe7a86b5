/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is watched: entries by inode, the nearest one above an object decides, and
 * verdicts, positive and negative, are kept by inode.
 *
 * A verdict is right for as long as the object's ancestors are: `watch_epoch` goes
 * up when user space changes the entries or a directory changes its parent, and a
 * verdict of another epoch counts for nothing. An inode number may be given to
 * another file at once, so the key has the generation, and where the file system
 * has none (0) nothing is kept. A file with several links has several parents: if one
 * of them is watched it has an entry of its own (watch_adopt).
 */
#ifndef HV_WATCH_H
#define HV_WATCH_H

#include "field.h"
#include "scratch.h"

#define HV_WATCH_LEVELS 128 /* directories walked upwards; an object deeper below its watched root is not seen */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hv_inode_key);
	__type(value, struct hv_watch);
} hv_watches SEC(".maps");

/*
 * Verdicts that are kept: a direct-mapped table, whose look-up costs a third of a hash
 * map's. Two CPUs may write one entry at once, and a third read it: the tag, over all
 * of it, tells an entry that is whole. What is overwritten is settled again.
 */
struct verdict {
	__u64 identity; /* inode_identity() */
	__u32 device, generation;
	__u64 epoch;
	__u64 word; /* entry << 32 | policy */
	__u64 tag;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct verdict);
} hv_verdicts SEC(".maps");

__u64 watch_epoch SEC(".data.epoch") = 1;

/*
 * Overlays that hold entries, by the lowest byte of their device numbers, and whether there are any: changes of their
 * layers are judged by the overlay's path too.
 */
struct {
	__u64 any;
	__u64 devices[4];
} watch_overlays SEC(".data.overlays") = {};

/* Not 0: this program acts on files for the canary, and what it does is reported. */
__u64 canary_acts SEC(".data.canary") = 0;

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

static __always_inline bool watch_hit(__u64 word)
{
	return word && !(word & HV_WATCH_IGNORE);
}

/* The same where writes are asked for. */
static __always_inline bool watch_hit_by_write(__u64 word)
{
	return word && !(word & (HV_WATCH_IGNORE | HV_WATCH_UNWANTED(HV_FILE_WRITE)));
}

/* False: it has no entry; true: it may have one. */
static __always_inline bool overlay_has_entries(__u32 device)
{
	__u64 word = device >> 6;

	UNKNOWN(word);
	return watch_overlays.devices[word & 3] >> (device & 63) & 1;
}

/*
 * Inode number and generation as one, spread over the upper half: inodes of one generation have different ones, since
 * the factor is odd, and so do those with numbers below 2^32.
 */
static __always_inline __u64 inode_identity(__u64 number, __u32 generation)
{
	return (number ^ (__u64)generation << 32) * 0x9e3779b97f4a7c15ULL;
}

static __always_inline struct verdict *verdict_slot(__u64 identity)
{
	__u32 index = identity >> 32 & settings.verdict_mask;

	return bpf_map_lookup_elem(&hv_verdicts, &index);
}

static __always_inline __u64 verdict_tag(__u64 identity, __u32 device, __u64 epoch, __u64 word)
{
	return ((identity ^ device) * 0xff51afd7ed558ccdULL ^ epoch) * 0xc4ceb9fe1a85ec53ULL ^ word;
}

/* What is kept of an inode; false where nothing is: as of all on a file system without generations (verdict_keep). */
static __always_inline bool verdict_kept_of(__u64 identity, __u32 device, __u32 generation, __u64 *word)
{
	struct verdict *verdict = verdict_slot(identity);

	if (!verdict || verdict->identity != identity || verdict->generation != generation || verdict->device != device || verdict->epoch != watch_epoch)
		return false;
	*word = verdict->word;
	return verdict->tag == verdict_tag(identity, device, verdict->epoch, *word);
}

static __always_inline bool verdict_kept(__u64 inode, __u32 device, __u32 generation, __u64 *word)
{
	return verdict_kept_of(inode_identity(inode, generation), device, generation, word);
}

static __always_inline void verdict_keep(const struct hv_inode_key *key, __u64 epoch, __u64 word)
{
	__u64 identity = inode_identity(key->inode, key->generation);
	struct verdict *verdict = verdict_slot(identity);

	if (!verdict || !key->generation)
		return;
	verdict->tag = 0;
	verdict->identity = identity;
	verdict->device = key->device;
	verdict->generation = key->generation;
	verdict->epoch = epoch;
	verdict->word = word;
	verdict->tag = verdict_tag(identity, key->device, epoch, word);
}

static __always_inline void verdict_drop(const struct hv_inode_key *key)
{
	struct verdict *verdict = verdict_slot(inode_identity(key->inode, key->generation));

	if (verdict)
		verdict->epoch = 0;
}

/* An entry of a directory's own, as a word; 0: none. A global function, for the verifier: its argument is the address, as a number. */
__noinline __u64 watch_at(__u64 dentry)
{
	struct hv_inode_key key = {};
	struct hv_watch *watch;

	inode_key(&key, BPF_CORE_READ((struct dentry *)dentry, d_inode));
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	return watch ? watch_as_word(watch) : WATCH_NOTHING;
}

/*
 * The entry that decides for a directory and all that has no nearer one: itself, then upwards.
 * This and the next are global functions as well, which keeps what the verifier walks small.
 */
__noinline __u64 judge_directory_at(__u64 address)
{
	struct dentry *directory = (void *)address;
	struct hv_inode_key own = {};
	__u64 epoch = *(volatile __u64 *)&watch_epoch, word, at = address;

	inode_key(&own, BPF_CORE_READ(directory, d_inode));
	if (verdict_kept(own.inode, own.device, own.generation, &word))
		return word;
	for (int level = 0; level < HV_WATCH_LEVELS; level++) {
		__u64 parent;

		word = watch_at(at);
		if (word && !(word & HV_WATCH_CHILDREN))
			break;
		/* Names in it are judged by its own entry first: what is kept of it must not hide that. */
		if (word && level == 0)
			own.generation = 0;
		word = WATCH_NOTHING;
		parent = (__u64)BPF_CORE_READ((struct dentry *)at, d_parent);
		if (parent == at)
			break;
		at = parent;
	}
	verdict_keep(&own, epoch, word);
	return word;
}

/* What decides for a name in this directory, whether it exists or not. */
__noinline __u64 judge_name_at(__u64 address)
{
	struct dentry *directory = (void *)address;
	struct hv_inode_key key = {};
	struct hv_watch *watch;

	inode_key(&key, BPF_CORE_READ(directory, d_inode));
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	if (watch)
		return watch_as_word(watch);
	return judge_directory_at(address);
}

static __always_inline __u64 judge_name(struct dentry *directory)
{
	return judge_name_at(address_number(directory));
}

/*
 * A file that has, or is to have, several names, one of them watched, gets an entry of
 * its own: what lies above its other names says nothing of it. Where names decide
 * (HV_WATCH_CHILDREN) user space sees to it.
 */
static __noinline void watch_adopt(struct inode *inode, __u64 word)
{
	struct hv_inode_key key = {};
	struct hv_watch watch = { .policy = WATCH_POLICY(word) | HV_WATCH_LINKED, .entry = WATCH_ENTRY(word) };

	if (watch.policy & HV_WATCH_CHILDREN || (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR)
		return;
	inode_key(&key, inode);
	verdict_drop(&key);
	bpf_map_update_elem(&hv_watches, &key, &watch, BPF_NOEXIST);
}

/*
 * Its last name is gone, and with it the entry that it had for several: the table does not fill with what is no more, and
 * where inodes have no generation (overlayfs) the next of that number is not taken for it.
 */
static __noinline void watch_disown(struct inode *inode)
{
	struct hv_inode_key key = {};

	if (BPF_CORE_READ(inode, i_nlink))
		return;
	inode_key(&key, inode);
	bpf_map_delete_elem(&hv_watches, &key);
	verdict_drop(&key);
}

/* What decides for an object: its own entry, or its directory's. The inode is the dentry's. */
__noinline __u64 judge_object_at(__u64 inode_address, __u64 dentry_address)
{
	struct inode *inode = (void *)inode_address;
	struct dentry *dentry = (void *)dentry_address;
	struct hv_inode_key key = {};
	__u64 epoch = *(volatile __u64 *)&watch_epoch, word;
	struct hv_watch *watch;

	inode_key(&key, inode);
	watch = bpf_map_lookup_elem(&hv_watches, &key);
	word = watch ? watch_as_word(watch) : judge_name(BPF_CORE_READ(dentry, d_parent));
	/* What is kept under a directory's key is what its contents inherit (judge_directory). */
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR)
		return word;
	if (!watch && BPF_CORE_READ(inode, i_nlink) > 1) {
		/* Another of its names may have come into the watch with a folder, and is judged by its own place. */
		if (!watch_hit(word))
			return word;
		watch_adopt(inode, word);
	}
	verdict_keep(&key, epoch, word);
	return word;
}

static __always_inline __u64 judge_object(struct inode *inode, struct dentry *dentry)
{
	return judge_object_at(address_number(inode), address_number(dentry));
}

/* A name that the inode has in its own file system, or NULL. */
static __always_inline struct dentry *inode_alias(struct inode *inode)
{
	void *node = BPF_CORE_READ(inode, i_dentry.first);
	struct dentry___7_0 *newer = NULL;
	struct dentry *older = NULL;

	if (!node)
		return NULL;
	return bpf_core_field_exists(newer->d_alias) ? node - bpf_core_field_offset(struct dentry___7_0, d_alias)
						     : node - bpf_core_field_offset(older->d_u.d_alias);
}

/*
 * The same for a handle's inode, which under an overlay may be a layer's while the name
 * is the overlay's (before 6.7): then by the name that the layer has for it.
 */
static __noinline __u64 judge_layer(struct inode *inode, struct dentry *dentry)
{
	if (BPF_CORE_READ(dentry, d_inode) != inode) {
		dentry = inode_alias(inode);
		if (!dentry)
			return WATCH_NOTHING;
	}
	return judge_object(inode, dentry);
}

/* The same, from what is kept where that still holds. */
static __noinline __u64 judge_kept(struct inode *inode, struct dentry *dentry)
{
	struct hv_inode_key key = {};
	__u64 word;

	inode_key(&key, inode);
	return verdict_kept(key.inode, key.device, key.generation, &word) ? word : judge_object(inode, dentry);
}

/*
 * The same for hooks with typed pointers, whose direct loads cost a tenth of a helper's:
 * what objects outside the watch pay.
 */
#define JUDGE_DIRECT(inode, settle)                                                                                        \
	({                                                                                                                 \
		__u64 judged;                                                                                              \
		verdict_kept((inode)->i_ino, (inode)->i_sb->s_dev, (inode)->i_generation, &judged) ? judged : (settle);    \
	})

/*
 * A name that is about to go: nothing is kept of its object, which is new as often as not.
 * Typed.
 */
static __noinline __u64 judge_leaving(struct inode *inode, struct dentry *dentry)
{
	struct hv_inode_key key = { .inode = inode->i_ino, .device = inode->i_sb->s_dev, .generation = inode->i_generation };
	struct dentry *directory = dentry->d_parent;
	struct inode *above;
	struct hv_watch *watch;
	__u64 word;

	watch = bpf_map_lookup_elem(&hv_watches, &key);
	if (watch)
		return watch_as_word(watch);
	above = directory->d_inode;
	word = above ? JUDGE_DIRECT(above, judge_name(directory)) : WATCH_NOTHING;
	if (watch_hit(word) && inode->i_nlink > 1)
		watch_adopt(inode, word);
	return word;
}

#endif
