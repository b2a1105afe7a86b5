/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Arguments and numbers of system calls from their registers, by architecture. */
#ifndef HV_SYSCALL_H
#define HV_SYSCALL_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/*
 * An argument of a traced function, or its result behind the last one, read as
 * memory: in the BTF of 5.10 the registers are a forward declaration for some system
 * calls, which the verifier does not let through as a typed argument.
 */
static __always_inline unsigned long long context_argument(const unsigned long long *context, int index)
{
	unsigned long long value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), context + index);
	return value;
}

/* An argument with the type that the kernel's BTF has for it. Each is a load by itself: the verifier takes no offset that is computed. */
#define TYPED_ARGUMENT(context, number)                                                                       \
	({                                                                                                    \
		__u64 loaded;                                                                                 \
		asm volatile("%0 = *(u64 *)(%1 + " #number " * 8)" : "=r"(loaded) : "r"(context));            \
		loaded;                                                                                       \
	})

#define CONTEXT_REGISTERS(context) ((struct pt_regs *)context_argument(context, 0))
#define CONTEXT_RESULT(context) ((int)context_argument(context, 1))

#if defined(__TARGET_ARCH_x86)
#define SYSCALL "__x64_sys_"
#define SYSCALL_COMPAT "__ia32_compat_sys_"
#define SYSCALL_IA32 "__ia32_sys_"

static __always_inline unsigned long syscall_number(struct pt_regs *regs) { return BPF_CORE_READ(regs, orig_ax); }
/* The same by a direct load, which takes registers that the kernel gave as typed. */
#define SYSCALL_NUMBER_TYPED(regs) ((regs)->orig_ax)
static __always_inline unsigned long syscall_argument_1(struct pt_regs *regs) { return BPF_CORE_READ(regs, di); }
static __always_inline unsigned long syscall_argument_2(struct pt_regs *regs) { return BPF_CORE_READ(regs, si); }
static __always_inline unsigned long syscall_argument_3(struct pt_regs *regs) { return BPF_CORE_READ(regs, dx); }
static __always_inline unsigned long syscall_argument_4(struct pt_regs *regs) { return BPF_CORE_READ(regs, r10); }
static __always_inline unsigned long syscall_argument_5(struct pt_regs *regs) { return BPF_CORE_READ(regs, r8); }
/* 32-bit calls: bx, cx, dx, si, di (arch/x86/include/asm/syscall.h) */
static __always_inline unsigned long compat_argument_1(struct pt_regs *regs) { return BPF_CORE_READ(regs, bx) & 0xffffffff; }
static __always_inline unsigned long compat_argument_2(struct pt_regs *regs) { return BPF_CORE_READ(regs, cx) & 0xffffffff; }
static __always_inline unsigned long compat_argument_3(struct pt_regs *regs) { return BPF_CORE_READ(regs, dx) & 0xffffffff; }
static __always_inline unsigned long compat_argument_4(struct pt_regs *regs) { return BPF_CORE_READ(regs, si) & 0xffffffff; }
static __always_inline unsigned long compat_argument_5(struct pt_regs *regs) { return BPF_CORE_READ(regs, di) & 0xffffffff; }

/* TS_COMPAT -- arch/x86/include/asm/thread_info.h */
static __always_inline bool syscall_is_compat(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_info.status) & 2;
}

/* arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl */
enum { NR_EXECVE = 59, NR_EXECVEAT = 322 };
enum { NR_COMPAT_EXECVE = 11, NR_COMPAT_EXECVEAT = 358 };
enum { NR_UNSHARE = 272, NR_SETNS = 308, NR_COMPAT_UNSHARE = 310, NR_COMPAT_SETNS = 346 };
enum { NR_INIT_MODULE = 175, NR_FINIT_MODULE = 313, NR_DELETE_MODULE = 176 };
enum { NR_COMPAT_INIT_MODULE = 128, NR_COMPAT_FINIT_MODULE = 350, NR_COMPAT_DELETE_MODULE = 129 };
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL "__arm64_sys_"
#define SYSCALL_COMPAT "__arm64_compat_sys_"
#define SYSCALL_IA32 "__arm64_sys_" /* no 32-bit twins of native calls */

static __always_inline unsigned long syscall_number(struct pt_regs *regs) { return BPF_CORE_READ(regs, syscallno); }
#define SYSCALL_NUMBER_TYPED(regs) ((regs)->syscallno)
static __always_inline unsigned long syscall_argument_1(struct pt_regs *regs) { return BPF_CORE_READ(regs, orig_x0); }
static __always_inline unsigned long syscall_argument_2(struct pt_regs *regs) { return BPF_CORE_READ(regs, regs[1]); }
static __always_inline unsigned long syscall_argument_3(struct pt_regs *regs) { return BPF_CORE_READ(regs, regs[2]); }
static __always_inline unsigned long syscall_argument_4(struct pt_regs *regs) { return BPF_CORE_READ(regs, regs[3]); }
static __always_inline unsigned long syscall_argument_5(struct pt_regs *regs) { return BPF_CORE_READ(regs, regs[4]); }
static __always_inline unsigned long compat_argument_1(struct pt_regs *regs) { return syscall_argument_1(regs) & 0xffffffff; }
static __always_inline unsigned long compat_argument_2(struct pt_regs *regs) { return syscall_argument_2(regs) & 0xffffffff; }
static __always_inline unsigned long compat_argument_3(struct pt_regs *regs) { return syscall_argument_3(regs) & 0xffffffff; }
static __always_inline unsigned long compat_argument_4(struct pt_regs *regs) { return syscall_argument_4(regs) & 0xffffffff; }
static __always_inline unsigned long compat_argument_5(struct pt_regs *regs) { return syscall_argument_5(regs) & 0xffffffff; }

/* _TIF_32BIT -- arch/arm64/include/asm/thread_info.h */
static __always_inline bool syscall_is_compat(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_info.flags) & (1UL << 22);
}

/* include/uapi/asm-generic/unistd.h and arch/arm64/include/asm/unistd32.h */
enum { NR_EXECVE = 221, NR_EXECVEAT = 281 };
enum { NR_COMPAT_EXECVE = 11, NR_COMPAT_EXECVEAT = 387 };
enum { NR_UNSHARE = 97, NR_SETNS = 268, NR_COMPAT_UNSHARE = 337, NR_COMPAT_SETNS = 375 };
enum { NR_INIT_MODULE = 105, NR_FINIT_MODULE = 273, NR_DELETE_MODULE = 106 };
enum { NR_COMPAT_INIT_MODULE = 128, NR_COMPAT_FINIT_MODULE = 379, NR_COMPAT_DELETE_MODULE = 129 };
#endif

/*
 * Registers with which the current task entered the kernel, at the top of its stack
 * (arch/x86/include/asm/processor.h, arch/arm64/include/asm/processor.h): where there is
 * no helper for it, before 5.15.
 */
#define THREAD_SIZE 16384
static __always_inline struct pt_regs *entry_registers(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* The number of the system call at hand; all ones where it is a fault, or a thread of the kernel's. */
static __always_inline __u32 call_of(struct task_struct *current)
{
	if (HELPER_EXISTS(task_pt_regs)) {
		struct pt_regs *regs = (void *)bpf_task_pt_regs(current);

		return SYSCALL_NUMBER_TYPED(regs);
	}
	return syscall_number(entry_registers());
}

static __always_inline __u32 current_call(void)
{
	return call_of(HELPER_EXISTS(task_pt_regs) ? bpf_get_current_task_btf() : NULL);
}

/* Where its registers are, as a number. */
static __always_inline unsigned long long call_registers(void)
{
	unsigned long long address = 0;
	void *registers;

	if (!HELPER_EXISTS(task_pt_regs))
		return (unsigned long long)entry_registers();
	registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_probe_read_kernel(&address, sizeof(address), &registers);
	return address;
}

#endif
