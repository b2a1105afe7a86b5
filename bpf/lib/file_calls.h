/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which system calls change files, by number; for the tracepoint style. */
#ifndef HV_FILE_CALLS_H
#define HV_FILE_CALLS_H

#include "syscall.h"

enum file_call {
	CALL_OTHER = 0,
	CALL_OPEN,          /* result is the descriptor */
	CALL_WRITE_1,       /* the first argument is written to, the result is bytes */
	CALL_WRITE_3,       /* the third is (copy_file_range, splice) */
	CALL_ALLOCATE,      /* the first is changed when the result is 0 */
	CALL_CLOSE,         /* the first goes */
	CALL_REPLACE,       /* the second goes, if it is open (dup2, dup3) */
	CALL_RENAME,        /* (old, new) */
	CALL_RENAMEAT,      /* (dirfd, old, dirfd, new, flags) */
	CALL_UNLINK,        /* (name) */
	CALL_UNLINKAT,      /* (dirfd, name, flags) */
};

#define FILE_CALLS_MAX 512

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl */
const volatile __u8 native_calls[FILE_CALLS_MAX] = {
	[2] = CALL_OPEN, [85] = CALL_OPEN, [257] = CALL_OPEN, [437] = CALL_OPEN, [304] = CALL_OPEN, /* open creat openat openat2 open_by_handle_at */
	[1] = CALL_WRITE_1, [18] = CALL_WRITE_1, [20] = CALL_WRITE_1, [296] = CALL_WRITE_1, [328] = CALL_WRITE_1, /* write pwrite64 writev pwritev pwritev2 */
	[40] = CALL_WRITE_1, /* sendfile */
	[326] = CALL_WRITE_3, [275] = CALL_WRITE_3, /* copy_file_range splice */
	[285] = CALL_ALLOCATE, /* fallocate */
	[3] = CALL_CLOSE, [33] = CALL_REPLACE, [292] = CALL_REPLACE, /* close dup2 dup3 */
	[82] = CALL_RENAME, [264] = CALL_RENAMEAT, [316] = CALL_RENAMEAT,
	[87] = CALL_UNLINK, [263] = CALL_UNLINKAT,
};
/* arch/x86/entry/syscalls/syscall_32.tbl */
const volatile __u8 compat_calls[FILE_CALLS_MAX] = {
	[5] = CALL_OPEN, [8] = CALL_OPEN, [295] = CALL_OPEN, [437] = CALL_OPEN, [342] = CALL_OPEN,
	[4] = CALL_WRITE_1, [181] = CALL_WRITE_1, [146] = CALL_WRITE_1, [334] = CALL_WRITE_1, [379] = CALL_WRITE_1,
	[187] = CALL_WRITE_1, [239] = CALL_WRITE_1, /* sendfile sendfile64 */
	[377] = CALL_WRITE_3, [313] = CALL_WRITE_3,
	[324] = CALL_ALLOCATE,
	[6] = CALL_CLOSE, [63] = CALL_REPLACE, [330] = CALL_REPLACE,
	[38] = CALL_RENAME, [302] = CALL_RENAMEAT, [353] = CALL_RENAMEAT,
	[10] = CALL_UNLINK, [301] = CALL_UNLINKAT,
};
#elif defined(__TARGET_ARCH_arm64)
/* include/uapi/asm-generic/unistd.h */
const volatile __u8 native_calls[FILE_CALLS_MAX] = {
	[56] = CALL_OPEN, [437] = CALL_OPEN, [265] = CALL_OPEN,
	[64] = CALL_WRITE_1, [68] = CALL_WRITE_1, [66] = CALL_WRITE_1, [70] = CALL_WRITE_1, [287] = CALL_WRITE_1,
	[71] = CALL_WRITE_1,
	[285] = CALL_WRITE_3, [76] = CALL_WRITE_3,
	[47] = CALL_ALLOCATE,
	[57] = CALL_CLOSE, [24] = CALL_REPLACE,
	[38] = CALL_RENAMEAT, [276] = CALL_RENAMEAT,
	[35] = CALL_UNLINKAT,
};
/* arch/arm64/tools/syscall_32.tbl */
const volatile __u8 compat_calls[FILE_CALLS_MAX] = {
	[5] = CALL_OPEN, [8] = CALL_OPEN, [322] = CALL_OPEN, [437] = CALL_OPEN, [371] = CALL_OPEN,
	[4] = CALL_WRITE_1, [181] = CALL_WRITE_1, [146] = CALL_WRITE_1, [362] = CALL_WRITE_1, [393] = CALL_WRITE_1,
	[187] = CALL_WRITE_1, [239] = CALL_WRITE_1,
	[391] = CALL_WRITE_3, [340] = CALL_WRITE_3,
	[352] = CALL_ALLOCATE,
	[6] = CALL_CLOSE, [63] = CALL_REPLACE, [358] = CALL_REPLACE,
	[38] = CALL_RENAME, [329] = CALL_RENAMEAT, [382] = CALL_RENAMEAT,
	[10] = CALL_UNLINK, [328] = CALL_UNLINKAT,
};
#endif


static __always_inline __u32 file_call(unsigned long number, bool compat)
{
	if (number >= FILE_CALLS_MAX)
		return CALL_OTHER;
	return compat ? compat_calls[number & (FILE_CALLS_MAX - 1)] : native_calls[number & (FILE_CALLS_MAX - 1)];
}

static __always_inline unsigned long call_argument(struct pt_regs *regs, bool compat, int number)
{
	switch (number) {
	case 1: return compat ? compat_argument_1(regs) : syscall_argument_1(regs);
	case 2: return compat ? compat_argument_2(regs) : syscall_argument_2(regs);
	case 3: return compat ? compat_argument_3(regs) : syscall_argument_3(regs);
	default: return compat ? compat_argument_4(regs) : syscall_argument_4(regs);
	}
}

#endif
