/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who acts: credentials, namespaces, terminal, cgroup. */
#ifndef HV_TASK_H
#define HV_TASK_H

#include "field.h"

/* Typed where the kernel gives it so, for loads without a helper's call (TASK_READ). */
static __always_inline struct task_struct *current_task(void)
{
	if (HELPER_EXISTS(get_current_task_btf))
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* The effective ones; `cred` is typed where tasks are. */
static __always_inline __u64 credential_capabilities(struct cred *cred)
{
	struct cred___before_6_3 *older = (void *)cred;

	if (bpf_core_field_exists(cred->cap_effective.val))
		return TASK_READ(cred, cap_effective.val);
	return TASK_READ(older, cap_effective.cap[0]) | (__u64)TASK_READ(older, cap_effective.cap[1]) << 32;
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

static __always_inline struct cgroup *controller_cgroup(struct css_set *set, int controller)
{
	struct cgroup_subsys_state *state = NULL;
	struct cgroup *group;

	bpf_core_read(&state, sizeof(state), &set->subsys[controller & 15]);
	group = BPF_CORE_READ(state, cgroup);
	return group && BPF_CORE_READ(group, level) > 0 ? group : NULL;
}

/*
 * Its cgroup in the v2 hierarchy; on v1 and hybrid hosts, where every process is
 * at the root of that, the memory or pids controller's.
 */
static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *group = BPF_CORE_READ(set, dfl_cgrp), *other = NULL;

	if (BPF_CORE_READ(group, level) == 0) {
		if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
			other = controller_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		if (!other && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
			other = controller_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
	}
	return other ? other : group;
}

static __always_inline __u64 cgroup_id(struct cgroup *group)
{
	return HV_CGROUP(BPF_CORE_READ(group, root, hierarchy_id), BPF_CORE_READ(group, kn, id));
}

/* The same one's id. Only on v1 and hybrid hosts is the way there a long one. */
static __always_inline __u64 task_cgroup_id(struct task_struct *task)
{
	if (HELPER_EXISTS(get_current_task_btf) && task->cgroups->dfl_cgrp->level)
		return task->cgroups->dfl_cgrp->kn->id;
	return cgroup_id(task_cgroup(task));
}

/* The inode number of its pid namespace: of the host's, which most are in, by loads at fixed places. */
static __always_inline __u32 task_pid_namespace(struct task_struct *task)
{
	struct pid *pid = TASK_READ(task, thread_pid);
	unsigned int level = TASK_READ(pid, level);
	struct upid *numbers, *own;

	if (!level)
		return TASK_READ(pid, numbers[0].ns, ns.inum);
	numbers = (void *)BPF_CORE_READ(task, thread_pid) + bpf_core_field_offset(pid->numbers);
	own = (void *)numbers + level * bpf_core_type_size(struct upid);
	return BPF_CORE_READ(own, ns, ns.inum);
}

/* A task's name, in two words: through the member, an array of characters would be loaded byte by byte. */
static __always_inline void task_name(char *to, struct task_struct *task)
{
	const __u64 *words = (void *)task + bpf_core_field_offset(struct task_struct, comm);

	if (HELPER_EXISTS(get_current_task_btf)) {
		((__u64 *)to)[0] = words[0];
		((__u64 *)to)[1] = words[1];
	} else {
		bpf_probe_read_kernel(to, 16, words);
	}
}

static __always_inline __u32 task_terminal(struct task_struct *task)
{
	struct tty_struct *tty = TASK_READ(task, signal, tty);
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
	to->start = TASK_READ(task, group_leader, start_boottime);
	to->parent_start = TASK_READ(task, real_parent, group_leader, start_boottime);
	to->cgroup = task_cgroup_id(task);
	to->capabilities = credential_capabilities(TASK_READ(task, cred));
	to->pid = TASK_READ(task, tgid);
	to->tid = TASK_READ(task, pid);
	to->parent_pid = TASK_READ(task, real_parent, tgid);
	to->uid = TASK_READ(task, real_cred, uid.val);
	to->gid = TASK_READ(task, real_cred, gid.val);
	to->suid = TASK_READ(task, real_cred, suid.val);
	to->sgid = TASK_READ(task, real_cred, sgid.val);
	to->euid = TASK_READ(task, cred, euid.val);
	to->egid = TASK_READ(task, cred, egid.val);
	to->login_uid = bpf_core_field_exists(task->loginuid) ? TASK_READ(task, loginuid.val) : ~0u;
	to->session = bpf_core_field_exists(task->sessionid) ? TASK_READ(task, sessionid) : ~0u;
	to->tty = task_terminal(task);
	to->task_flags = TASK_READ(task, flags);
	/* An exiting task has no nsproxy any more: zeroes, then. */
	to->ns_mount = TASK_READ(task, nsproxy, mnt_ns, ns.inum);
	to->ns_pid = task_pid_namespace(task);
	to->ns_user = TASK_READ(task, real_cred, user_ns, ns.inum);
	to->ns_network = TASK_READ(task, nsproxy, net_ns, ns.inum);
	to->ns_ipc = TASK_READ(task, nsproxy, ipc_ns, ns.inum);
	to->ns_uts = TASK_READ(task, nsproxy, uts_ns, ns.inum);
	to->ns_cgroup = TASK_READ(task, nsproxy, cgroup_ns, ns.inum);
	task_name(to->comm, task);
	task_name(to->parent_comm, TASK_READ(task, real_parent, group_leader));
}

#endif
