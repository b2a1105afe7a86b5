/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who acts: credentials, namespaces, terminal, cgroup. */
#ifndef HV_TASK_H
#define HV_TASK_H

#include "scratch.h"

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline __u64 credential_capabilities(struct cred *cred)
{
	__u64 capabilities = 0;

	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	return capabilities;
}

static __always_inline void credentials_fill(struct hv_credentials *to, struct cred *cred)
{
	to->capabilities = credential_capabilities(cred);
	to->uid = BPF_CORE_READ(cred, uid.val);
	to->gid = BPF_CORE_READ(cred, gid.val);
	to->euid = BPF_CORE_READ(cred, euid.val);
	to->egid = BPF_CORE_READ(cred, egid.val);
	to->suid = BPF_CORE_READ(cred, suid.val);
	to->sgid = BPF_CORE_READ(cred, sgid.val);
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___before_6_15 *old = (void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(node, __parent);
}

/*
 * Its cgroup in the v2 hierarchy; on v1 and hybrid hosts, where every process is
 * at the root of that, the memory or pids controller's.
 */
static __always_inline struct kernfs_node *task_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *group = BPF_CORE_READ(set, dfl_cgrp);

	if (BPF_CORE_READ(group, level) == 0) {
		struct cgroup_subsys_state *state = NULL;
		struct cgroup *other;

		if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
			bpf_core_read(&state, sizeof(state), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
			other = BPF_CORE_READ(state, cgroup);
			if (other && BPF_CORE_READ(other, level) > 0)
				return BPF_CORE_READ(other, kn);
		}
		if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
			bpf_core_read(&state, sizeof(state), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)]);
			other = BPF_CORE_READ(state, cgroup);
			if (other && BPF_CORE_READ(other, level) > 0)
				return BPF_CORE_READ(other, kn);
		}
	}
	return BPF_CORE_READ(group, kn);
}

static __always_inline struct pid_namespace *task_pid_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid *numbers = (void *)pid + bpf_core_field_offset(pid->numbers);
	struct upid *own = (void *)numbers + level * bpf_core_type_size(struct upid);

	return BPF_CORE_READ(own, ns);
}

static __always_inline __u32 task_terminal(struct signal_struct *signal)
{
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	struct tty_driver *driver;

	if (!tty)
		return 0;
	driver = BPF_CORE_READ(tty, driver);
	return BPF_CORE_READ(driver, major) << 20 | ((BPF_CORE_READ(driver, minor_start) + BPF_CORE_READ(tty, index)) & 0xfffff);
}

/*
 * real_cred is who acts; cred is what it may do now, which overlayfs and nfsd
 * override for the length of a call: from it come the effective ids only.
 */
static __noinline void actor_fill(struct hv_actor *to, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);
	struct cred *real = BPF_CORE_READ(task, real_cred);
	struct cred *subjective = BPF_CORE_READ(task, cred);
	struct nsproxy *namespaces = BPF_CORE_READ(task, nsproxy);

	to->start = BPF_CORE_READ(leader, start_boottime);
	to->parent_start = BPF_CORE_READ(parent, start_boottime);
	to->cgroup = BPF_CORE_READ(task_cgroup(task), id);
	to->capabilities = credential_capabilities(subjective);
	to->pid = BPF_CORE_READ(task, tgid);
	to->tid = BPF_CORE_READ(task, pid);
	to->parent_pid = BPF_CORE_READ(parent, tgid);
	to->uid = BPF_CORE_READ(real, uid.val);
	to->gid = BPF_CORE_READ(real, gid.val);
	to->suid = BPF_CORE_READ(real, suid.val);
	to->sgid = BPF_CORE_READ(real, sgid.val);
	to->euid = BPF_CORE_READ(subjective, euid.val);
	to->egid = BPF_CORE_READ(subjective, egid.val);
	to->login_uid = bpf_core_field_exists(task->loginuid) ? BPF_CORE_READ(task, loginuid.val) : ~0u;
	to->session = bpf_core_field_exists(task->sessionid) ? BPF_CORE_READ(task, sessionid) : ~0u;
	to->tty = task_terminal(BPF_CORE_READ(task, signal));
	to->task_flags = BPF_CORE_READ(task, flags);
	/* An exiting task has no nsproxy any more: zeroes, then. */
	to->ns_mount = BPF_CORE_READ(namespaces, mnt_ns, ns.inum);
	to->ns_pid = BPF_CORE_READ(task_pid_namespace(task), ns.inum);
	to->ns_user = BPF_CORE_READ(real, user_ns, ns.inum);
	to->ns_network = BPF_CORE_READ(namespaces, net_ns, ns.inum);
	to->ns_ipc = BPF_CORE_READ(namespaces, ipc_ns, ns.inum);
	to->ns_uts = BPF_CORE_READ(namespaces, uts_ns, ns.inum);
	to->ns_cgroup = BPF_CORE_READ(namespaces, cgroup_ns, ns.inum);
	bpf_core_read(to->comm, sizeof(to->comm), &task->comm);
	bpf_core_read(to->parent_comm, sizeof(to->parent_comm), &parent->comm);
}

#endif
