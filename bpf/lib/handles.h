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
	__u32 state;    /* HANDLE_* */
	__u32 waits;    /* files.detail: the first event waits for the bytes of its write */
	__u32 reserved;
	__u64 bytes;    /* written so far by calls that tell how many */
	struct hv_actor actor;
};
#define HANDLE_LAYER 1   /* the watch set decided by the layer's name, not the overlay's */
#define HANDLE_CLAIMED 2 /* in hv_claims */

struct handle_set {
	struct handle ways[HV_WAYS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct handle_set);
} hv_handles SEC(".maps");

/* Who has or is making an entry, so that two threads of a process don't make one each: operations that came meanwhile. */
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

static __always_inline bool handle_is_of(const struct handle *handle, struct inode *inode, const bool typed)
{
	return handle->key.inode == FIELD(typed, inode, i_ino) && handle->key.generation == FIELD(typed, inode, i_generation) &&
	       handle->key.device == FIELD(typed, inode, i_sb, s_dev);
}

/* What an event of a handle's author tells of the writes. */
static __always_inline struct scratch *write_begin(struct handle *handle, __u32 flags)
{
	struct scratch *slot = record_begin_of(handle->actor.cgroup, HV_FILE_WRITE, (__u64)handle->watch << 32 | handle->policy);
	struct hv_file *record;

	if (!slot)
		return NULL;
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
	if (handle->last > handle->first_tick) {
		__u64 now = record->header.time, tick = bpf_jiffies64();

		record->last = now - (now - handle->first) / (tick - handle->first_tick) * (tick - handle->last);
	}
	if (handle->state & HANDLE_CLAIMED) {
		struct claim_key claim = { .file = handle->file, .pid = handle->pid, .exec = handle->exec };
		__u64 *more = bpf_map_lookup_elem(&hv_claims, &claim);

		if (more)
			record->operations += *more;
	}
	return slot;
}

static __noinline int write_report(struct file *file, struct handle *handle, __u32 flags)
{
	struct scratch *slot;
	struct path *path;
	struct dentry *dentry;
	struct vfsmount *mount;
	struct hv_file *record;

	if (!handle)
		return 0;
	slot = write_begin(handle, flags);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	/* Of one that was not seen to be closed the address may be another file's by now. */
	if (handle_is_of(handle, BPF_CORE_READ(file, f_inode), false)) {
		path = file_user_path(file);
		dentry = BPF_CORE_READ(path, dentry);
		mount = BPF_CORE_READ(path, mnt);
		if (handle->state & HANDLE_LAYER && BPF_CORE_READ(dentry, d_inode) != BPF_CORE_READ(file, f_inode)) {
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

/* The same of a typed file, where its name is no overlay's. */
static __noinline int write_report_typed(struct file *file, struct handle *handle, __u32 flags)
{
	struct inode *inode = file->f_inode;
	struct scratch *slot;
	struct hv_file *record;

	if (!handle)
		return 0;
	if (watch_overlays || file->f_path.dentry->d_inode != inode || !handle_is_of(handle, inode, true))
		return write_report(file, handle, flags);
	slot = write_begin(handle, flags);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	object_fill_typed(&record->object, inode);
	put_paths_typed(slot, file->f_path.dentry, file->f_path.mnt, HV_FILE_INNER);
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
	if (handle->state & HANDLE_CLAIMED) {
		struct claim_key claim = { .file = handle->file, .pid = handle->pid, .exec = handle->exec };

		bpf_map_delete_elem(&hv_claims, &claim);
	}
	*(volatile __u64 *)&handle->file = 0;
}

/*
 * Its number: a way that nobody has, or the one that has been quiet for longest, which tells what
 * it knows. It is the caller's to fill. One of this address and another inode was not
 * seen to be closed. -1: none. A global function, for the verifier.
 */
__noinline int handle_room(__u64 file)
{
	struct handle_set *set = handle_set_of(file);
	struct handle *oldest = NULL;
	int oldest_way = 0;

	if (!set)
		return -1;
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != file || handle_is_of(handle, BPF_CORE_READ((struct file *)file, f_inode), false))
			continue;
		write_report((void *)file, handle, HV_FILE_CLOSED);
		handle_forget(handle);
	}
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (!handle->file && handle_take(handle, 0))
			return way;
		if (handle->file > HANDLE_BUSY && (!oldest || handle->last < oldest->last)) {
			oldest = handle;
			oldest_way = way;
		}
	}
	if (!oldest)
		return -1;
	write_report((void *)oldest->file, oldest, HV_FILE_OPEN | HV_FILE_EVICTED);
	handle_forget(oldest);
	return handle_take(oldest, 0) ? oldest_way : -1;
}

/* The first change by this process through this handle, as far as the table knows. `after`: the hook runs after the change. */
static __always_inline int handle_first_of(struct file *file, __u64 word, __u32 call, bool after, const bool typed)
{
	struct task_struct *task = current_task();
	struct claim_key claim = {};
	__u64 address = typed ? address_number(file) : (__u64)file, none = 0, *more;
	struct inode *inode = FIELD(typed, file, f_inode);
	struct handle_set *set = handle_set_of(address);
	struct handle *handle;
	__u32 way = handle_room(address), state = 0;

	if (!set || way >= HV_WAYS) {
		ring_no_scratch(ring_bulk(), HV_KIND_FILE);
		return 0;
	}
	UNKNOWN(way);
	handle = &set->ways[way & (HV_WAYS - 1)];
	claim.file = address;
	claim.pid = bpf_get_current_pid_tgid() >> 32;
	claim.exec = TASK_READ(task, self_exec_id);
	if (TASK_READ(task, signal, nr_threads) > 1) {
		state = HANDLE_CLAIMED;
		if (bpf_map_update_elem(&hv_claims, &claim, &none, BPF_NOEXIST)) {
			more = bpf_map_lookup_elem(&hv_claims, &claim);
			if (more) {
				/* Another thread of the process is at it. */
				count(more);
				*(volatile __u64 *)&handle->file = 0;
				return 0;
			}
		}
	}
	handle->pid = claim.pid;
	handle->exec = claim.exec;
	handle->operations = 1;
	handle->last = handle->first_tick = bpf_jiffies64();
	handle->call = call;
	handle->key.inode = FIELD(typed, inode, i_ino);
	handle->key.device = FIELD(typed, inode, i_sb, s_dev);
	handle->key.generation = FIELD(typed, inode, i_generation);
	handle->size_before = after ? ~0ULL : (__u64)FIELD(typed, inode, i_size);
	handle->first = handle->reported = bpf_ktime_get_boot_ns();
	handle->watch = WATCH_ENTRY(word);
	handle->policy = WATCH_POLICY(word);
	actor_fill(&handle->actor, task);
	handle->flags = handle->actor.task_flags & PF_IO_WORKER ? HV_FILE_IO_URING : 0;
	handle->via = via_of_call(call, handle->actor.task_flags);
	if ((!typed || watch_overlays || FIELD(typed, file, f_path.dentry, d_inode) != inode) && file_is_layered(file) &&
	    watch_hit(judge_layer(inode, FIELD(typed, file, f_path.dentry))))
		state |= HANDLE_LAYER;
	handle->state = state;
	handle->bytes = 0;
	handle->waits = settings.detail && handle->via & (HV_VIA_WRITE | HV_VIA_SENDFILE | HV_VIA_SPLICE | HV_VIA_COPY);
	/* From here on others find it. */
	*(volatile __u64 *)&handle->file = address;
	if (settings.file_operations & HV_OPERATION_CLOSE)
		bpf_map_update_elem(&hv_writers, &claim.pid, &claim.pid, BPF_ANY);
	if (handle->waits)
		return 0;
	return typed ? write_report_typed(file, handle, HV_FILE_OPEN) : write_report(file, handle, HV_FILE_OPEN);
}

static __noinline int handle_first(struct file *file, __u64 word, __u32 call, bool after)
{
	return handle_first_of(file, word, call, after, false);
}

static __noinline int handle_first_typed(struct file *file, __u64 word, __u32 call)
{
	return handle_first_of(file, word, call, false, true);
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
static __always_inline int file_changed_of(struct file *file, __u64 number, __u32 generation, __u64 word, bool after, const bool typed)
{
	struct handle_set *set = handle_set_of((__u64)file);
	struct task_struct *task = current_task();
	__u32 pid = TASK_READ(task, tgid), exec, call;

	if (!set || (pid == settings.own_pid && !canary_acts) || WATCH_POLICY(word) & HV_WATCH_UNWANTED(HV_FILE_WRITE))
		return 0;
	exec = TASK_READ(task, self_exec_id);
	call = call_of(task);
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
	return typed ? handle_first_typed(file, word, call) : handle_first(file, word, call, after);
}

static __always_inline int file_changed(struct file *file, __u64 number, __u32 generation, __u64 word, bool after)
{
	return file_changed_of(file, number, generation, word, after, false);
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

/* The handle goes: each author's totals. May run in a worker; the actors are those stored. */
static __always_inline int file_closed_of(struct file *file, __u64 address, const bool typed)
{
	struct handle_set *set = handle_set_of(address);

	if (!set)
		return 0;
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != address)
			continue;
		if (typed)
			write_report_typed(file, handle, HV_FILE_CLOSED);
		else
			write_report(file, handle, HV_FILE_CLOSED);
		handle_forget(handle);
	}
	return 0;
}

/* A global function, for the verifier: its argument is the address, as a number. */
__noinline int file_closed(__u64 address)
{
	return file_closed_of((struct file *)address, address, false);
}

static __noinline int file_closed_typed(struct file *file)
{
	return file_closed_of(file, address_number(file), true);
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
