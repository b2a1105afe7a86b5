/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What attribution needs beside exec, fork and exit, in programs of the exec family, which includes this: cgroups, changes
 * of namespaces, and the processes that are there when the monitor starts.
 */
#ifndef HV_ATTRIBUTION_H
#define HV_ATTRIBUTION_H

#define HV_CGROUP_LEVELS 32

/* Path of a cgroup in its hierarchy: kernfs nodes upwards, the root is "/". */
__noinline int walk_cgroup(__u32 key)
{
	struct scratch *slot = bpf_map_lookup_elem(&SCRATCH_MAP, &key);

	if (!slot)
		return 0;
	slot->walk_position = HV_PATH_MAX;
	slot->walk_flags = HV_STRING_TRUNCATED;
	for (int round = 0; round < HV_CGROUP_LEVELS; round++) {
		struct kernfs_node *at = (void *)slot->walk_dentry;
		struct kernfs_node *parent = kernfs_parent(at);
		long length;

		if (!parent) {
			slot->walk_flags = 0;
			break;
		}
		length = bpf_probe_read_kernel_str(slot->name + 8, HV_NAME_MAX, BPF_CORE_READ(at, name));
		if (length <= 0 || !walk_prepend(slot, slot->name + 8, length - 1))
			break;
		slot->walk_dentry = (__u64)parent;
	}
	return 0;
}

static __always_inline struct hv_string put_cgroup(struct scratch *slot, struct cgroup *group)
{
	slot->walk_dentry = (__u64)BPF_CORE_READ(group, kn);
	walk_cgroup(slot->key);
	return walk_put(slot);
}

/* Precious: a name that is missing here is missing for all that the group's processes will do. */
static __noinline int on_cgroup(struct cgroup *group, __u32 action)
{
	struct scratch *slot = scratch_get();
	struct kernfs_node *parent;
	struct hv_cgroup *record;

	if (!slot) {
		ring_no_scratch(HV_RING_PRIORITY, HV_KIND_CGROUP);
		return 0;
	}
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	header_begin(&record->header, HV_KIND_CGROUP);
	record->cgroup = cgroup_id(group);
	parent = kernfs_parent(BPF_CORE_READ(group, kn));
	record->parent = parent ? HV_CGROUP(BPF_CORE_READ(group, root, hierarchy_id), BPF_CORE_READ(parent, id)) : 0;
	record->action = action;
	record->strings[HV_CGROUP_PATH] = put_cgroup(slot, group);
	ring_send(HV_RING_PRIORITY, &record->header, slot->used & (HV_SCRATCH_RECORD - 1));
	scratch_put(slot);
	return 0;
}

/* TP_PROTO(struct cgroup *cgrp, const char *path) -- include/trace/events/cgroup.h */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *group, const char *path)
{
	return on_cgroup(group, HV_CGROUP_MADE);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(cgroup_renamed, struct cgroup *group, const char *path)
{
	return on_cgroup(group, HV_CGROUP_RENAMED);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *group, const char *path)
{
	return on_cgroup(group, HV_CGROUP_REMOVED);
}

static __noinline int on_namespace(__u32 call, __u64 asked, int result)
{
	__u32 ring = ring_bulk();
	struct scratch *slot;
	struct hv_namespace *record;

	if (throttled_task(current_task(), HV_KIND_NAMESPACE))
		return 0;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring, HV_KIND_NAMESPACE);
		return 0;
	}
	record = (void *)slot->record;
	header_begin(&record->header, HV_KIND_NAMESPACE);
	actor_fill(&record->actor, current_task());
	record->asked = asked;
	record->call = call;
	record->error = result;
	ring_send(ring, &record->header, sizeof(*record));
	scratch_put(slot);
	return 0;
}

/* SYSCALL_DEFINE1(unshare, unsigned long, unshare_flags) -- kernel/fork.c */
SEC("fexit/" SYSCALL "unshare")
int namespace_unshare(unsigned long long *context)
{
	return on_namespace(HV_NAMESPACE_UNSHARE, syscall_argument_1(CONTEXT_REGISTERS(context)), CONTEXT_RESULT(context));
}

/* SYSCALL_DEFINE2(setns, int, fd, int, flags) -- kernel/nsproxy.c */
SEC("fexit/" SYSCALL "setns")
int namespace_setns(unsigned long long *context)
{
	return on_namespace(HV_NAMESPACE_SETNS, syscall_argument_2(CONTEXT_REGISTERS(context)), CONTEXT_RESULT(context));
}

/* On x86 the 32-bit twins; on arm64 both go the same way. */
SEC("fexit/" SYSCALL_IA32 "unshare")
int namespace_unshare_compat(unsigned long long *context)
{
	return on_namespace(HV_NAMESPACE_UNSHARE, compat_argument_1(CONTEXT_REGISTERS(context)), CONTEXT_RESULT(context));
}

SEC("fexit/" SYSCALL_IA32 "setns")
int namespace_setns_compat(unsigned long long *context)
{
	return on_namespace(HV_NAMESPACE_SETNS, compat_argument_2(CONTEXT_REGISTERS(context)), CONTEXT_RESULT(context));
}

/* Where fexit is refused: at the end of every system call, one look at its number. */
SEC("tp_btf/sys_exit")
int BPF_PROG(namespace_tracepoint, struct pt_regs *regs, long result)
{
	unsigned long number = SYSCALL_NUMBER_TYPED(regs);

	if (number == NR_UNSHARE && !syscall_is_compat())
		return on_namespace(HV_NAMESPACE_UNSHARE, syscall_argument_1(regs), result);
	if (number == NR_SETNS && !syscall_is_compat())
		return on_namespace(HV_NAMESPACE_SETNS, syscall_argument_2(regs), result);
	if (number == NR_COMPAT_UNSHARE && syscall_is_compat())
		return on_namespace(HV_NAMESPACE_UNSHARE, compat_argument_1(regs), result);
	if (number == NR_COMPAT_SETNS && syscall_is_compat())
		return on_namespace(HV_NAMESPACE_SETNS, compat_argument_2(regs), result);
	return 0;
}

/* Processes that are there: leaders only, a record each, as the rings would have it. */
SEC("iter/task")
int process_list(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct scratch *slot;
	struct hv_process *record;
	struct file *file;
	__u32 size;

	if (!task || task->pid != task->tgid)
		return 0;
	slot = scratch_get();
	if (!slot)
		return 0;
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	header_begin(&record->header, HV_KIND_PROCESS);
	actor_fill(&record->actor, task);
	__builtin_memset(&record->executable, 0, sizeof(record->executable));
	record->executable_ctime = 0;
	record->strings[HV_PROCESS_EXECUTABLE] = string_slot(0, 0);
	file = BPF_CORE_READ(task, mm, exe_file);
	if (file) {
		struct inode *inode = BPF_CORE_READ(file, f_inode);

		object_fill(&record->executable, inode);
		record->executable_ctime = inode_ctime(inode, false);
		if (record->executable.links == 0)
			record->header.flags |= HV_EXEC_FILELESS;
		record->strings[HV_PROCESS_EXECUTABLE] = put_path_mounted(slot, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
	}
	record->strings[HV_PROCESS_CGROUP] = put_cgroup(slot, task_cgroup(task));
	size = slot->used & (HV_SCRATCH_RECORD - 1);
	record->header.size = size;
	bpf_seq_write(context->meta->seq, record, size);
	scratch_put(slot);
	return 0;
}

#endif
