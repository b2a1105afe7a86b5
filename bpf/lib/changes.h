/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Changes through handles, counted in their table (handles.h), and the ends of handles. */
#ifndef HV_CHANGES_H
#define HV_CHANGES_H

#include "handle_events.h"

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
static __always_inline int handle_first_of(struct file *file, __u64 word, bool after, const bool typed)
{
	struct task_struct *task = current_task();
	struct claim_key claim = {};
	__u64 address = typed ? address_number(file) : (__u64)file, none = 0, *more;
	struct inode *inode = FIELD(typed, file, f_inode);
	struct handle_set *set = handle_set_of(address);
	struct handle *handle;
	__u32 call = call_of(task), way, state = 0;

	if (own_act() && !canary_acts)
		return 0;
	way = handle_room(address);
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
	handle->identity = inode_identity(handle->key.inode, handle->key.generation);
	handle->size_before = after ? ~0ULL : (__u64)FIELD(typed, inode, i_size);
	handle->first = handle->reported = bpf_ktime_get_boot_ns();
	handle->watch = WATCH_ENTRY(word);
	handle->policy = WATCH_POLICY(word);
	actor_fill(&handle->actor, task);
	handle->flags = handle->actor.task_flags & PF_IO_WORKER ? HV_FILE_IO_URING : 0;
	handle->via = via_of_call(call, handle->actor.task_flags);
	if ((!typed || file_is_layers(file, inode)) && file_is_layered(file) && watch_hit(judge_layer(inode, FIELD(typed, file, f_path.dentry))))
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

static __noinline int handle_first(struct file *file, __u64 word, bool after)
{
	return handle_first_of(file, word, after, false);
}

static __noinline int handle_first_typed(struct file *file, __u64 word)
{
	return handle_first_of(file, word, false, true);
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

/* Who is at work, as handles tell authors apart, and in which system call. */
struct at_work {
	__u32 pid, exec, call;
};

/* One test of what the kernel has for all of it. */
static __always_inline struct at_work who_is_at_work(void)
{
	struct task_struct *task;

	if (HELPER_EXISTS(task_pt_regs)) {
		task = bpf_get_current_task_btf();
		return (struct at_work){ task->tgid, task->self_exec_id, SYSCALL_NUMBER_TYPED((struct pt_regs *)bpf_task_pt_regs(task)) };
	}
	task = (void *)bpf_get_current_task();
	return (struct at_work){ BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, self_exec_id), syscall_number(entry_registers()) };
}

/*
 * A change of a watched file through a handle. `identity`: its inode's. All that each further write pays is here; what a
 * known handle does not need is in functions of their own.
 */
static __always_inline int file_changed_of(struct file *file, __u64 identity, __u64 word, bool after, const bool typed)
{
	struct handle_set *set = handle_set_of((__u64)file);
	struct at_work who = who_is_at_work();

	if (!set)
		return 0;
#pragma unroll
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != (__u64)file || handle->pid != who.pid || handle->exec != who.exec || handle->identity != identity)
			continue;
		count(&handle->operations);
		if (handle->call == who.call && handle->last == bpf_jiffies64())
			return 0;
		return handle_more(file, handle, who.call);
	}
	return typed ? handle_first_typed(file, word) : handle_first(file, word, after);
}

static __always_inline int file_changed(struct file *file, struct inode *inode, __u64 word, bool after)
{
	if (!watch_hit_by_write(word))
		return 0;
	return file_changed_of(file, inode_identity(BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_generation)), word, after, false);
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

/* In what ways it was changed (HV_VIA_*); 0: no author's is known. */
static __always_inline __u32 handle_vias(struct file *file)
{
	struct handle_set *set = handle_set_of((__u64)file);
	__u32 via = 0;

	if (!set)
		return 0;
#pragma unroll
	for (int way = 0; way < HV_WAYS; way++)
		if (set->ways[way].file == (__u64)file)
			via |= set->ways[way].via;
	return via;
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
	__u32 via = BPF_CORE_READ(file, f_mode) & FMODE_WRITE ? handle_vias(file) : 0;

	if (!via)
		return 0;
	/* A ring lets go of a file a moment after its request is done, or with the ring itself. */
	return file_references(file) <= (via & HV_VIA_IO_URING ? 2 : 1) ? file_closed(address) : 0;
}

#endif
