/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The tracepoint style's programs of the file family. */
#ifndef HV_SPELLED_H
#define HV_SPELLED_H

#include "lib/file_spelled.h"
#include "lib/file_opened.h"

#define DESCRIPTORS_LOOKED_AT 256
#define DESCRIPTORS_CLOSED 16

/* The first descriptor from `from` up to `last` whose handle is in the table, or -1. Global, so that the verifier walks its loop once. */
__noinline int next_changed(int from, __u32 last)
{
	for (int round = 0; round < DESCRIPTORS_LOOKED_AT; round++) {
		__u32 descriptor = from + round;
		struct file *file;

		if (descriptor > last)
			break;
		file = file_of_descriptor(descriptor);
		if (file && handle_known(file))
			return descriptor;
	}
	return -1;
}

/* Those of this process that go. */
__noinline int descriptors_closed(int from, __u32 last)
{
	for (int closed = 0; closed < DESCRIPTORS_CLOSED; closed++) {
		from = next_changed(from, last);
		if (from < 0)
			break;
		handle_maybe_closed((__u64)file_of_descriptor(from));
		from++;
	}
	return 0;
}

/*
 * Where the kernel refuses the programs above: system call tracepoints, which put
 * every system call of the machine on the slow path. The table look-up comes first;
 * it is what all others pay.
 *
 * TP_PROTO(struct pt_regs *regs, long id) -- include/trace/events/syscalls.h
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(file_tracepoint_enter, struct pt_regs *regs, long id)
{
	__u32 key = CALL_KEY(id, syscall_is_compat());
	const volatile struct file_call *call = file_call(key);
	__u64 registers = address_number(regs);
	struct file *file;

	switch (call->class) {
	case CALL_NAME:
		return is_wanted(call->action) ? spelled_begins(registers, key, 0, 1) : 0;
	case CALL_HANDLE:
		return is_wanted(call->action) ? handle_begins(registers, key, call_argument(registers, key, 1), call->action, 0) : 0;
	case CALL_CONTROL:
		return settings.file_operations & HV_OPERATION_FLAGS ? control_begins(registers, key) : 0;
	case CALL_CLOSE:
		if (!(settings.file_operations & HV_OPERATION_CLOSE))
			return 0;
		file = file_of_descriptor(call_argument(registers, key, call->directory));
		return file ? handle_maybe_closed((__u64)file) : 0;
	case CALL_CLOSE_RANGE:
		if (!(settings.file_operations & HV_OPERATION_CLOSE) || call_argument(registers, key, 3) & CLOSE_RANGE_CLOEXEC)
			return 0;
		return descriptors_closed(call_argument(registers, key, 1), call_argument(registers, key, 2));
	}
	return 0;
}

/* io_submit(context, count, requests): `count` of them were taken. They may have been done already. */
static __always_inline int submitted(__u64 registers, __u32 key, int count)
{
	__u64 list = call_argument(registers, key, 3);

	for (int number = 0; number < REQUESTS_LOOKED_AT; number++) {
		int descriptor;

		if (number >= count)
			break;
		descriptor = request_descriptor(list, number, CALL_IS_COMPAT(key));
		if (descriptor >= 0)
			descriptor_changed(descriptor, 0);
	}
	return 0;
}

/* TP_PROTO(struct pt_regs *regs, long ret) -- include/trace/events/syscalls.h */
SEC("tp_btf/sys_exit")
int BPF_PROG(file_tracepoint_exit, struct pt_regs *regs, long result)
{
	__u32 key = CALL_KEY(syscall_number(regs), syscall_is_compat());
	const volatile struct file_call *call = file_call(key);
	__u64 registers = address_number(regs);

	switch (call->class) {
	case CALL_OPEN:
		return opened(registers, key, result) ? spelled_begins(registers, key, HV_FILE_WRITE, result) : 0;
	case CALL_WRITE:
		if (result <= 0)
			return 0;
		if (settings.file_operations & HV_OPERATION_WRITE)
			descriptor_changed(call_argument(registers, key, call->directory), result);
		return settings.file_operations & HV_OPERATION_DETAIL ? call_wrote(registers, key, result) : 0;
	case CALL_ALLOCATE:
		if (result)
			return 0;
		return settings.file_operations & HV_OPERATION_WRITE ? descriptor_changed(call_argument(registers, key, 1), 0) : 0;
	case CALL_CONTROL:
		if (!(settings.file_operations & (HV_OPERATION_WRITE | HV_OPERATION_FLAGS)))
			return 0;
		if (!control_clones(call_argument(registers, key, 2)))
			return spelled_ends(result);
		return result ? 0 : descriptor_changed(call_argument(registers, key, 1), 0);
	case CALL_MAP:
		/* An address or an error. */
		if ((unsigned long)result > -4096UL || !(settings.file_operations & HV_OPERATION_MAP))
			return 0;
		return mapped(registers, key);
	case CALL_SUBMIT:
		if (result <= 0)
			return 0;
		return settings.file_operations & HV_OPERATION_WRITE ? submitted(registers, key, result) : 0;
	case CALL_NAME:
		if (!is_wanted(call->action))
			return 0;
		/* What moved is not known here: nothing that is kept of inodes counts any more. */
		if (call->action == HV_FILE_RENAME && !result)
			count(&watch_epoch);
		return spelled_ends(result) ? spelled_begins(registers, key, 0, result) : 0;
	case CALL_HANDLE:
		return is_wanted(call->action) ? spelled_ends(result) : 0;
	}
	return 0;
}

/*
 * A process that leaves without closing: its files are still there at this point
 * (do_exit() calls exit_files() later). Looked through only where it has changed a
 * watched file.
 *
 * TP_PROTO(struct task_struct *p) -- include/trace/events/sched.h
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(file_tracepoint_process_exit, struct task_struct *task)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (BPF_CORE_READ(task, signal, live.counter) != 0 || !bpf_map_lookup_elem(&hv_writers, &pid))
		return 0;
	bpf_map_delete_elem(&hv_writers, &pid);
	return descriptors_closed(0, ~0u);
}

#endif
