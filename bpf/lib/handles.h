/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Handles through which a watched file was changed: one entry for each process that
 * writes through one (an inherited or passed handle has several authors), so that
 * many writes are two events. A table of sets with a few ways each, by the address of
 * the struct file: a write finds its entry without a call. An address is used again
 * once its file is freed: an entry is believed only while the inode is the one it was
 * made for.
 */
#ifndef HV_HANDLES_H
#define HV_HANDLES_H

#include "file.h"
#include "file_ways.h"

#define HV_WAYS 4

struct handle {
	/* What a further write looks at. */
	__u64 file;
	__u32 pid;
	__u32 exec;     /* low half of task_struct.self_exec_id: after an exec it is another author */
	__u64 operations;
	__u64 last;     /* jiffies: a clock that a write can afford */
	__u32 call;     /* system call of the last change, to see whether it came another way */
	__u32 via;      /* HV_VIA_* */
	/* The rest. */
	struct hv_inode_key key;
	__u64 first, reported; /* CLOCK_BOOTTIME */
	__u64 first_tick;      /* `first` in jiffies */
	__u64 size_before;
	__u32 watch, policy;
	__u32 flags;    /* HV_FILE_IO_URING */
	__u32 layer;    /* not 0: the watch set decided by the layer's name, not the overlay's */
	__u32 waits;    /* files.detail: the first event waits for the bytes of its write */
	__u32 reserved;
	__u64 bytes;    /* written so far by calls that tell how many */
	struct hv_actor actor;
};
struct handle_set {
	struct handle ways[HV_WAYS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct handle_set);
} hv_handles SEC(".maps");

/* Who has or is making an entry, so that two threads don't make one each: operations that came meanwhile. */
struct claim_key {
	__u64 file;
	__u32 pid;
	__u32 exec;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct claim_key);
	__type(value, __u64);
} hv_claims SEC(".maps");

/* Processes that changed a watched file; for the tracepoint style, which has no hook at the last close. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} hv_writers SEC(".maps");

/* The low half of an address, as a number: of a typed pointer the verifier lets only a 32-bit subtraction make one. */
static __always_inline __u64 address_bits(__u64 address)
{
	__u64 bits;

	asm volatile("r1 = %1; w1 -= 0; %0 = r1" : "=r"(bits) : "r"(address) : "r1");
	return bits;
}

static __always_inline struct handle_set *handle_set_of(__u64 file)
{
	__u32 index = ((address_bits(file) >> 6) * 0x9e3779b97f4a7c15ULL >> 32) & settings.handle_mask;

	return bpf_map_lookup_elem(&hv_handles, &index);
}

/* The file as its user has it: of a layer's file that an overlay opened for itself (6.7), the overlay's. */
static __noinline struct path *file_user_path(struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (watch_overlays && bpf_core_field_exists(backing->user_path) && BPF_CORE_READ(file, f_mode) & FMODE_BACKING &&
	    BPF_CORE_READ(backing, user_path.dentry, d_sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
		return (void *)backing + bpf_core_field_offset(struct backing_file, user_path);
	return (void *)file + bpf_core_field_offset(struct file, f_path);
}

/* Of a handle whose name is an overlay's, the layer's own. */
static __noinline struct dentry *layer_dentry(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct dentry *alias;

	if (BPF_CORE_READ(dentry, d_inode) == inode)
		return dentry;
	alias = inode_alias(inode);
	return alias ? alias : dentry;
}

static __noinline __u64 judge_overlaid(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file_user_path(file), dentry);

	return judge_object(BPF_CORE_READ(dentry, d_inode), dentry);
}

/* Whether its inode is a layer's and its name, or its user's name for it, an overlay's. */
static __always_inline bool file_is_layered(struct file *file)
{
	return BPF_CORE_READ(file_user_path(file), dentry, d_inode) != BPF_CORE_READ(file, f_inode);
}

/* In what way the current task changes a file. */
static __noinline __u32 via_of_call(__u32 number, __u32 task_flags)
{
	if (task_flags & PF_IO_WORKER)
		return HV_VIA_IO_URING;
	if (task_flags & PF_KTHREAD)
		return HV_VIA_KERNEL;
	return way_of_call(number, syscall_is_compat());
}

static __always_inline bool handle_is_of(const struct handle *handle, const struct hv_inode_key *key)
{
	return handle->key.inode == key->inode && handle->key.device == key->device && handle->key.generation == key->generation;
}

/* One event of a handle's author. */
static __noinline int write_report(struct file *file, struct handle *handle, __u32 flags)
{
	__u64 word, now = bpf_ktime_get_boot_ns(), tick = bpf_jiffies64();
	struct claim_key claim = {};
	struct hv_inode_key inode = {};
	struct scratch *slot;
	struct path *path;
	struct dentry *dentry;
	struct vfsmount *mount;
	struct hv_file *record;
	__u64 *more;

	if (!handle)
		return 0;
	word = (__u64)handle->watch << 32 | handle->policy;
	slot = record_begin_of(handle->actor.cgroup, HV_FILE_WRITE, word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	record->header.flags |= flags | handle->flags;
	record->actor = handle->actor;
	record->operations = handle->operations;
	record->size_before = handle->size_before;
	record->via = handle->via;
	record->value = handle->bytes;
	record->first = handle->first;
	record->last = handle->first;
	/* How long a tick is, these two clocks tell. */
	if (handle->last > handle->first_tick)
		record->last = now - (now - handle->first) / (tick - handle->first_tick) * (tick - handle->last);
	claim.file = handle->file;
	claim.pid = handle->pid;
	claim.exec = handle->exec;
	more = bpf_map_lookup_elem(&hv_claims, &claim);
	if (more)
		record->operations += *more;
	/* Of one that was not seen to be closed the address may be another file's by now. */
	inode_key(&inode, BPF_CORE_READ(file, f_inode));
	if (handle_is_of(handle, &inode)) {
		path = file_user_path(file);
		dentry = BPF_CORE_READ(path, dentry);
		mount = BPF_CORE_READ(path, mnt);
		if (handle->layer && BPF_CORE_READ(dentry, d_inode) != BPF_CORE_READ(file, f_inode)) {
			/* What is watched is the layer's file, whose name is another one. */
			dentry = layer_dentry(file);
			mount = NULL;
		}
		object_fill(&record->object, BPF_CORE_READ(dentry, d_inode));
		put_paths(slot, dentry, mount, HV_FILE_INNER);
	} else {
		record->object.inode = handle->key.inode;
		record->object.device = handle->key.device;
		record->object.generation = handle->key.generation;
		record->strings[HV_FILE_INNER].flags = HV_STRING_FAULT;
	}
	record_send(slot);
	return 0;
}

#define HANDLE_BUSY 1ULL /* in place of an address: it is being filled */

/* Takes a way over from what it is thought to hold. */
static __always_inline bool handle_take(struct handle *handle, __u64 from)
{
#ifdef NO_FETCH
	/* Before 5.12: two CPUs that take one way at once, each for a set's new handle, cost one of them its totals. */
	if (handle->file != from)
		return false;
	*(volatile __u64 *)&handle->file = HANDLE_BUSY;
	return true;
#else
	return __sync_val_compare_and_swap(&handle->file, from, HANDLE_BUSY) == from;
#endif
}

static __always_inline void handle_forget(struct handle *handle)
{
	struct claim_key claim = { .file = handle->file, .pid = handle->pid, .exec = handle->exec };

	bpf_map_delete_elem(&hv_claims, &claim);
	*(volatile __u64 *)&handle->file = 0;
}

/*
 * A way that nobody has, or the one that has been quiet for longest, which tells what
 * it knows. It is the caller's to fill. One of this address and another inode was not
 * seen to be closed.
 */
static __noinline struct handle *handle_room(struct handle_set *set, __u64 file)
{
	struct handle *oldest = NULL;

	if (!set)
		return NULL;
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];
		struct hv_inode_key key = {};

		if (handle->file != file)
			continue;
		inode_key(&key, BPF_CORE_READ((struct file *)file, f_inode));
		if (handle_is_of(handle, &key))
			continue;
		write_report((void *)file, handle, HV_FILE_CLOSED);
		handle_forget(handle);
	}
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (!handle->file && handle_take(handle, 0))
			return handle;
		if (handle->file > HANDLE_BUSY && (!oldest || handle->last < oldest->last))
			oldest = handle;
	}
	if (!oldest)
		return NULL;
	write_report((void *)oldest->file, oldest, HV_FILE_OPEN | HV_FILE_EVICTED);
	handle_forget(oldest);
	return handle_take(oldest, 0) ? oldest : NULL;
}

/* The first change by this process through this handle, as far as the table knows. `after`: the hook runs after the change. */
static __noinline int handle_first(struct file *file, __u64 word, __u32 call, bool after)
{
	struct task_struct *task = current_task();
	struct claim_key claim = {};
	struct handle_set *set = handle_set_of((__u64)file);
	struct handle *handle;
	__u64 none = 0, *more;

	handle = handle_room(set, (__u64)file);
	if (!handle) {
		ring_no_scratch(ring_bulk(), HV_KIND_FILE);
		return 0;
	}
	claim.file = (__u64)file;
	claim.pid = bpf_get_current_pid_tgid() >> 32;
	claim.exec = TASK_READ(task, self_exec_id);
	if (bpf_map_update_elem(&hv_claims, &claim, &none, BPF_NOEXIST)) {
		more = bpf_map_lookup_elem(&hv_claims, &claim);
		if (more) {
			/* Another thread of the process is at it. */
			count(more);
			*(volatile __u64 *)&handle->file = 0;
			return 0;
		}
	}
	handle->pid = claim.pid;
	handle->exec = claim.exec;
	handle->operations = 1;
	handle->last = handle->first_tick = bpf_jiffies64();
	handle->call = call;
	inode_key(&handle->key, BPF_CORE_READ(file, f_inode));
	handle->size_before = after ? ~0ULL : (__u64)BPF_CORE_READ(file, f_inode, i_size);
	handle->first = handle->reported = bpf_ktime_get_boot_ns();
	handle->watch = WATCH_ENTRY(word);
	handle->policy = WATCH_POLICY(word);
	actor_fill(&handle->actor, task);
	handle->flags = handle->actor.task_flags & PF_IO_WORKER ? HV_FILE_IO_URING : 0;
	handle->via = via_of_call(call, handle->actor.task_flags);
	handle->layer = file_is_layered(file) && watch_hit(judge_layer(BPF_CORE_READ(file, f_inode), BPF_CORE_READ(file, f_path.dentry)));
	handle->bytes = 0;
	handle->waits = settings.detail && handle->via & (HV_VIA_WRITE | HV_VIA_SENDFILE | HV_VIA_SPLICE | HV_VIA_COPY);
	/* From here on others find it. */
	*(volatile __u64 *)&handle->file = (__u64)file;
	if (settings.file_operations & HV_OPERATION_CLOSE)
		bpf_map_update_elem(&hv_writers, &claim.pid, &claim.pid, BPF_ANY);
	return handle->waits ? 0 : write_report(file, handle, HV_FILE_OPEN);
}

/* What a change of a known handle seldom needs: another way of writing, another tick of the clock. */
static __noinline int handle_more(struct file *file, struct handle *handle, __u32 call)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (!handle)
		return 0;
	handle->last = bpf_jiffies64();
	if (call != handle->call) {
		handle->call = call;
		handle->via |= via_of_call(call, TASK_READ(current_task(), flags));
	}
	if (now - handle->reported >= settings.report_every) {
		handle->reported = now;
		write_report(file, handle, HV_FILE_OPEN);
	}
	return 0;
}

/* A change of a watched file through a handle. `number` and `generation` are its inode's. */
static __always_inline int file_changed(struct file *file, __u64 number, __u32 generation, __u64 word, bool after)
{
	struct handle_set *set = handle_set_of((__u64)file);
	__u32 pid = bpf_get_current_pid_tgid() >> 32, exec, call;

	if (!set || (pid == settings.own_pid && !canary_acts) || WATCH_POLICY(word) & HV_WATCH_UNWANTED(HV_FILE_WRITE))
		return 0;
	exec = TASK_READ(current_task(), self_exec_id);
	call = current_call();
#pragma unroll
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != (__u64)file || handle->pid != pid || handle->exec != exec || handle->key.inode != number ||
		    handle->key.generation != generation)
			continue;
		count(&handle->operations);
		if (handle->call == call && handle->last == bpf_jiffies64())
			return 0;
		return handle_more(file, handle, call);
	}
	return handle_first(file, word, call, after);
}

static __always_inline bool handle_known(struct file *file)
{
	struct handle_set *set = handle_set_of((__u64)file);

	if (!set)
		return false;
#pragma unroll
	for (int way = 0; way < HV_WAYS; way++)
		if (set->ways[way].file == (__u64)file)
			return true;
	return false;
}

/*
 * The handle goes: each author's totals. May run in a worker; the actors are those stored.
 * A global function, for the verifier: its argument is the address, as a number.
 */
__noinline int file_closed(__u64 address)
{
	struct file *file = (struct file *)address;
	struct handle_set *set = handle_set_of(address);

	if (!set)
		return 0;
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != (__u64)file)
			continue;
		write_report(file, handle, HV_FILE_CLOSED);
		handle_forget(handle);
	}
	return 0;
}

/* f_count is an atomic_long_t, from 6.12 a file_ref_t that counts one less (include/linux/file_ref.h). */
static __always_inline long file_references(struct file *file)
{
	struct file___before_6_12 *old = (void *)file;

	if (bpf_core_field_exists(old->f_count))
		return BPF_CORE_READ(old, f_count.counter);
	return BPF_CORE_READ(file, f_ref.refcnt.counter) + 1;
}

/* A descriptor of the handle goes; whether it was the last one, its count of references tells. */
__noinline int handle_maybe_closed(__u64 address)
{
	struct file *file = (struct file *)address;

	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) || !handle_known(file))
		return 0;
	return file_references(file) <= 1 ? file_closed(address) : 0;
}

#endif
