/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fork and exit: programs of the exec family, which includes this. */
#ifndef HV_PROCESS_H
#define HV_PROCESS_H

/* Processes that have left: of last threads that leave at once, and of the programs on the tracepoint, who comes first reports. */
struct process_key {
	__u64 start;
	__u64 pid;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct process_key);
	__type(value, __u32);
} hv_exiting SEC(".maps");

/*
 * When the children of late were started, by the end of their numbers: which of the programs on the tracepoint came first. Numbers
 * are given out one after the other, so that a place is another's only when as many have been forked as there are places.
 */
#define HV_FORKED 4096
__u64 forked[HV_FORKED] SEC(".data.forked") = { 0 };

/* TP_PROTO(struct task_struct *parent, struct task_struct *child) -- include/trace/events/sched.h */
/* Whether it is the one that reports. */
static __always_inline bool on_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 ring = ring_bulk();
	__u32 place = child->pid & (HV_FORKED - 1);
	struct scratch *slot;
	struct hv_fork *record;

	if (child->pid != child->tgid || forked[place] == child->start_boottime)
		return false;
	forked[place] = child->start_boottime;
	if (throttled_task(parent, HV_KIND_FORK))
		return true;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring, HV_KIND_FORK);
		return true;
	}
	record = (void *)slot->record;
	header_begin(&record->header, HV_KIND_FORK);
	actor_fill(&record->actor, child);
	record->forker_start = BPF_CORE_READ(parent, group_leader, start_boottime);
	record->forker_pid = parent->tgid;
	record->reserved = 0;
	ring_send(ring, &record->header, sizeof(*record));
	scratch_put(slot);
	return true;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	on_fork(parent, child);
	return 0;
}

/* As exec_done_again: `forked` tells whether one above was there. */
static __always_inline int fork_taken_over(struct task_struct *parent, struct task_struct *child)
{
	if (on_fork(parent, child))
		count(&taken_over[2]);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork_again, struct task_struct *parent, struct task_struct *child)
{
	return fork_taken_over(parent, child);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork_again_2, struct task_struct *parent, struct task_struct *child)
{
	return fork_taken_over(parent, child);
}

/* TP_PROTO(struct task_struct *p) -- include/trace/events/sched.h; from 6.16 also bool group_dead, which is not needed */
/* Whether it is the one that reports. */
static __always_inline bool on_exit(struct task_struct *task)
{
	__u32 ring = ring_bulk();
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct process_key key;
	struct scratch *slot;
	struct hv_exit *record;
	__u32 one = 1;

	/* do_exit() has counted this thread out already. */
	if (BPF_CORE_READ(signal, live.counter) != 0)
		return false;
	key.start = BPF_CORE_READ(leader, start_boottime);
	key.pid = BPF_CORE_READ(task, tgid);
	if (bpf_map_update_elem(&hv_exiting, &key, &one, BPF_NOEXIST))
		return false;
	if (throttled_task(task, HV_KIND_EXIT))
		return true;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring, HV_KIND_EXIT);
		return true;
	}
	record = (void *)slot->record;
	header_begin(&record->header, HV_KIND_EXIT);
	actor_fill(&record->actor, task);
	/* As wait_task_zombie() (kernel/exit.c) has it. */
	record->status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code) : BPF_CORE_READ(leader, exit_code);
	record->reserved = 0;
	ring_send(ring, &record->header, sizeof(*record));
	scratch_put(slot);
	return true;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	on_exit(task);
	return 0;
}

/* As exec_done_again: hv_exiting tells whether one above was there. */
static __always_inline int exit_taken_over(struct task_struct *task)
{
	if (on_exit(task))
		count(&taken_over[1]);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit_again, struct task_struct *task)
{
	return exit_taken_over(task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit_again_2, struct task_struct *task)
{
	return exit_taken_over(task);
}

#endif
