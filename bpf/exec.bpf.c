// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Processes: exec, done and failed; fork and exit are in process.h, what attribution needs beside them in attribution.h. */
#define SCRATCH_MAP hv_scratch_exec
#define HV_SCRATCH_RECORD 65536
#define HV_SCRATCH_STRING 65536
#define HV_SCRATCH_LEVELS 4
#include "lib/ring.h"
#include "lib/task.h"
#include "lib/path.h"
#include "lib/tenant.h"
#include "lib/syscall.h"

/*
 * How often a further program on the tracepoint took the first one's place: what the
 * kernel skipped of the first less this is lost. [0] exec, [1] exit, [2] fork.
 */
__u64 taken_over[3] SEC(".data.taken") = { 0, 0, 0 };

#include "process.h"
#include "attribution.h"

/*
 * What is known of an exec before it replaces the credentials, by task, and which of
 * its execs was reported last. A stale entry is overwritten by the next exec.
 */
struct exec_before {
	struct hv_credentials credentials;
	struct hv_object script;
	__u32 have_credentials;
	__u32 have_script;
	__u64 task_start;
	__u64 reported; /* task_struct.self_exec_id, which counts its execs */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct exec_before);
} hv_exec_before SEC(".maps");

/*
 * int security_bprm_check(struct linux_binprm *bprm) -- security/security.c
 * Called again for each interpreter; the first time `file` is what the caller named.
 */
static __always_inline int on_bprm_check(struct linux_binprm *bprm)
{
	__u64 task = (__u64)current_task();
	struct exec_before before = {};

	if (bprm->buf[0] != '#' || bprm->buf[1] != '!')
		return 0;
	if (bprm->interp != bprm->filename)
		return 0;
	before.have_script = 1;
	object_fill_typed(&before.script, bprm->file->f_inode);
	bpf_map_update_elem(&hv_exec_before, &task, &before, BPF_ANY);
	return 0;
}

SEC("fentry/security_bprm_check")
int BPF_PROG(exec_check_fentry, struct linux_binprm *bprm)
{
	return on_bprm_check(bprm);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_check_lsm, struct linux_binprm *bprm, int ret)
{
	on_bprm_check(bprm);
	return 0;
}

/*
 * TP_PROTO(struct task_struct *task, const char *comm) -- include/trace/events/task.h
 * begin_new_exec() renames the task after the point of no return and before
 * commit_creds(): the one place, on every kernel, where the old credentials can be
 * had without a hook in the system call. prctl(PR_SET_NAME) comes here too; what it
 * leaves is overwritten by an exec.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(exec_rename, struct task_struct *task, const char *comm)
{
	__u64 key = (__u64)task;
	struct exec_before *known, before = {};

	if (key != (__u64)current_task())
		return 0;
	known = bpf_map_lookup_elem(&hv_exec_before, &key);
	if (!known) {
		bpf_map_update_elem(&hv_exec_before, &key, &before, BPF_ANY);
		known = bpf_map_lookup_elem(&hv_exec_before, &key);
		if (!known)
			return 0;
	} else if (known->have_credentials) {
		known->have_script = 0; /* of an earlier exec */
	}
	credentials_fill(&known->credentials, task->real_cred);
	known->have_credentials = 1;
	return 0;
}

/* The arguments lie between two addresses of the new memory; a page that is not there ends them. */
static __always_inline struct hv_string put_arguments(struct scratch *slot, __u64 start, __u32 size)
{
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);
	__u32 length = size;
	__u32 flags = 0;

	if (length > HV_ARGS_MAX) {
		length = HV_ARGS_MAX;
		flags = HV_STRING_TRUNCATED;
	}
	if (!length)
		return string_slot(0, 0);
	if (bpf_probe_read_user(&slot->record[at], length, (void *)start)) {
		flags |= HV_STRING_FAULT;
		length = length > 4096 ? 4096 - (start & 4095) : 0;
		if (!length || bpf_probe_read_user(&slot->record[at], length & 4095, (void *)start))
			return string_slot(0, flags);
		length &= 4095;
	}
	slot->used = at + length;
	return string_slot(length, flags);
}

static __always_inline bool inode_is_memfd(struct file *file)
{
	char name[8] = {};

	bpf_probe_read_kernel(name, 6, BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':' &&
	       BPF_CORE_READ(file, f_inode, i_sb, s_flags) & (1UL << 22) /* SB_KERNMOUNT */;
}

static __always_inline struct hv_string put_directory(struct scratch *slot, struct task_struct *task)
{
	struct fs_struct *fs = TASK_READ(task, fs);

	if (HELPER_EXISTS(get_current_task_btf))
		return put_path_typed(slot, fs->pwd.dentry, fs->pwd.mnt);
	return put_path_mounted(slot, BPF_CORE_READ(fs, pwd.dentry), BPF_CORE_READ(fs, pwd.mnt));
}

/* Notes that this exec of the task is reported; false: it was. */
static __noinline bool exec_claim(struct task_struct *task)
{
	__u64 key = (__u64)task;
	__u64 start = BPF_CORE_READ(task, start_boottime), number = BPF_CORE_READ(task, self_exec_id);
	struct exec_before *known = bpf_map_lookup_elem(&hv_exec_before, &key), fresh = {};

	if (!known) {
		fresh.task_start = start;
		fresh.reported = number;
		bpf_map_update_elem(&hv_exec_before, &key, &fresh, BPF_ANY);
		return true;
	}
	if (known->task_start == start && known->reported == number)
		return false;
	known->task_start = start;
	known->reported = number;
	return true;
}

/* TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) -- include/trace/events/sched.h */
/*
 * The flags go straight into the record: in a register each combination would be a
 * state of its own at every walk below, and the verifier would walk them all.
 */
static __always_inline int on_exec(struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u64 key = (__u64)task;
	__u32 ring = ring_bulk();
	struct scratch *slot;
	struct exec_before *before;
	struct hv_exec *record;
	struct file *file;
	__u64 start, size;

	if (throttled_task(task, HV_KIND_EXEC))
		return 0;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring, HV_KIND_EXEC);
		return 0;
	}
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	header_begin(&record->header, HV_KIND_EXEC);
	actor_fill(&record->actor, task);

	file = bprm->file;
	object_fill_typed(&record->executable, file->f_inode);
	record->executable_ctime = inode_ctime(file->f_inode, true);
	if (record->executable.links == 0) {
		record->header.flags |= HV_EXEC_FILELESS;
		if (inode_is_memfd(file))
			record->header.flags |= HV_EXEC_MEMFD;
	}

	before = bpf_map_lookup_elem(&hv_exec_before, &key);
	if (before) {
		record->before = before->credentials;
		record->script = before->script;
		if (before->have_credentials)
			record->header.flags |= HV_EXEC_BEFORE;
		if (before->have_script && before->script.links == 0)
			record->header.flags |= HV_EXEC_SCRIPT_FILELESS;
		if (!before->have_script)
			__builtin_memset(&record->script, 0, sizeof(record->script));
		before->have_credentials = before->have_script = 0;
	} else {
		__builtin_memset(&record->before, 0, sizeof(record->before));
		__builtin_memset(&record->script, 0, sizeof(record->script));
	}

	start = BPF_CORE_READ(task, mm, arg_start);
	size = BPF_CORE_READ(task, mm, arg_end) - start;
	record->args_count = bprm->argc;
	record->args_size = size;
	record->error = 0;
	record->old_tid = old_pid;

	record->strings[HV_EXEC_EXECUTABLE] = put_path_typed(slot, file->f_path.dentry, file->f_path.mnt);
	if (record->header.flags & HV_EXEC_FILELESS)
		record->strings[HV_EXEC_EXECUTABLE].flags |= HV_STRING_DELETED;
	record->strings[HV_EXEC_FILENAME] = put_kernel_string(slot, bprm->filename);
	if (bprm->interp != bprm->filename) {
		record->header.flags |= HV_EXEC_SCRIPT;
		record->strings[HV_EXEC_INTERPRETER] = put_kernel_string(slot, bprm->interp);
	} else {
		record->strings[HV_EXEC_INTERPRETER] = string_slot(0, 0);
	}
	record->strings[HV_EXEC_DIRECTORY] = put_directory(slot, task);
	record->strings[HV_EXEC_CGROUP] = put_cgroup(slot, task_cgroup(task));
	record->strings[HV_EXEC_ARGS] = put_arguments(slot, start, size);
	if (record->strings[HV_EXEC_ARGS].length < size)
		record->header.flags |= HV_EXEC_ARGS_TRUNCATED;
	ring_send(ring, &record->header, slot->used & (HV_SCRATCH_RECORD - 1));
	scratch_put(slot);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_done, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	exec_claim(task);
	return on_exec(task, old_pid, bprm);
}

/*
 * Where tracepoints are preempted (7.x), the kernel skips a program on a CPU on which
 * another task was preempted inside it. These come right behind the one above and take
 * its place then. A task is inside the third only where it found the second busy.
 */
static __always_inline int exec_taken_over(struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	if (!exec_claim(task))
		return 0;
	count(&taken_over[0]);
	return on_exec(task, old_pid, bprm);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_done_again, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return exec_taken_over(task, old_pid, bprm);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_done_again_2, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return exec_taken_over(task, old_pid, bprm);
}

static __noinline int exec_failed(const char *filename, bool user, int result)
{
	__u32 ring = ring_bulk();
	struct task_struct *task;
	struct scratch *slot;
	struct hv_exec *record;

	if (result >= 0 || settings.failed_exec == 0 || (result == -ENOENT && settings.failed_exec == 1))
		return 0;
	if (throttled_task(current_task(), HV_KIND_EXEC))
		return 0;
	slot = scratch_get();
	if (!slot) {
		ring_no_scratch(ring, HV_KIND_EXEC);
		return 0;
	}
	task = current_task();
	record = (void *)slot->record;
	slot->used = sizeof(*record);
	header_begin(&record->header, HV_KIND_EXEC);
	actor_fill(&record->actor, task);
	__builtin_memset(&record->executable, 0, sizeof(record->executable));
	__builtin_memset(&record->script, 0, sizeof(record->script));
	__builtin_memset(&record->before, 0, sizeof(record->before));
	record->executable_ctime = 0;
	record->args_count = 0;
	record->args_size = 0;
	record->error = result;
	record->old_tid = record->actor.tid;
	record->strings[HV_EXEC_EXECUTABLE] = string_slot(0, 0);
	record->strings[HV_EXEC_FILENAME] = user ? put_user_string(slot, filename) : put_kernel_string(slot, filename);
	record->strings[HV_EXEC_INTERPRETER] = string_slot(0, 0);
	record->strings[HV_EXEC_DIRECTORY] = put_directory(slot, task);
	record->strings[HV_EXEC_CGROUP] = put_cgroup(slot, task_cgroup(task));
	record->strings[HV_EXEC_ARGS] = string_slot(0, 0);
	ring_send(ring, &record->header, slot->used & (HV_SCRATCH_RECORD - 1));
	scratch_put(slot);
	return 0;
}

/* SYSCALL_DEFINE3(execve, filename, argv, envp) -- fs/exec.c */
SEC("fexit/" SYSCALL "execve")
int exec_failed_execve(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return result ? exec_failed((const char *)syscall_argument_1(regs), true, result) : 0;
}

/* SYSCALL_DEFINE5(execveat, fd, filename, argv, envp, flags) -- fs/exec.c */
SEC("fexit/" SYSCALL "execveat")
int exec_failed_execveat(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return result ? exec_failed((const char *)syscall_argument_2(regs), true, result) : 0;
}

SEC("fexit/" SYSCALL_COMPAT "execve")
int exec_failed_compat_execve(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return result ? exec_failed((const char *)compat_argument_1(regs), true, result) : 0;
}

SEC("fexit/" SYSCALL_COMPAT "execveat")
int exec_failed_compat_execveat(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return result ? exec_failed((const char *)compat_argument_2(regs), true, result) : 0;
}

/* int kernel_execve(const char *filename, const char *const *argv, const char *const *envp) -- fs/exec.c: usermode helpers */
SEC("fexit/kernel_execve")
int BPF_PROG(exec_failed_kernel, const char *filename, const char *const *argv, const char *const *envp, int result)
{
	return result ? exec_failed(filename, false, result) : 0;
}

/*
 * TP_PROTO(struct pt_regs *regs, long ret) -- include/trace/events/syscalls.h
 * Where the kernel refuses fexit. It runs at the end of every system call, so the
 * first comparison is the one that almost all fail.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(exec_failed_tracepoint, struct pt_regs *regs, long result)
{
	if (result >= 0 || result < -4095)
		return 0;
	unsigned long number = syscall_number(regs);

	if (syscall_is_compat()) {
		if (number == NR_COMPAT_EXECVE)
			return exec_failed((const char *)compat_argument_1(regs), true, result);
		if (number == NR_COMPAT_EXECVEAT)
			return exec_failed((const char *)compat_argument_2(regs), true, result);
	} else {
		if (number == NR_EXECVE)
			return exec_failed((const char *)syscall_argument_1(regs), true, result);
		if (number == NR_EXECVEAT)
			return exec_failed((const char *)syscall_argument_2(regs), true, result);
	}
	return 0;
}
