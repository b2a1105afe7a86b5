/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which system calls change files, by number, and where their arguments are; for the tracepoint style. */
#ifndef HV_FILE_CALLS_H
#define HV_FILE_CALLS_H

#include "syscall.h"

enum file_call_class {
	CALL_OTHER = 0,
	CALL_OPEN,        /* the result is the descriptor */
	CALL_WRITE,       /* the result is bytes */
	CALL_ALLOCATE,    /* changed when the result is 0 */
	CALL_CONTROL,     /* ioctl */
	CALL_MAP,         /* (address, length, protection, flags, descriptor) */
	CALL_PROTECT,     /* (address, length, protection) */
	CALL_UNMAP,       /* (address, length) */
	CALL_SUBMIT,      /* io_submit */
	CALL_RING,        /* io_uring_enter: told by its own tracepoint */
	CALL_CLOSE,       /* the descriptor goes */
	CALL_CLOSE_RANGE, /* (first, last, flags) */
	CALL_NAME,        /* an act on a name */
	CALL_HANDLE,      /* an act on a descriptor's object */
};

/* A call and the numbers of its arguments, 0 where it has no such one. */
struct file_call {
	__u8 class;
	__u8 action;    /* enum hv_file_action */
	__u8 directory; /* the descriptor that the name is relative to, or that is acted on */
	__u8 name;
	__u8 target_directory;
	__u8 target;
	__u8 text;
	__u8 text_2;
	__u8 value;
	__u8 value_2;
	__u8 flags;
	__u8 shape;     /* enum call_shape */
};

enum call_shape {
	SHAPE_PLAIN = 0,
	SHAPE_CREAT,     /* flags that are not said: O_CREAT | O_WRONLY | O_TRUNC */
	SHAPE_OPEN_HOW,  /* flags are where that argument points to (openat2) */
	SHAPE_SHORT_IDS, /* ids of 16 bits */
	SHAPE_HALVES,    /* a value of 64 bits in two arguments, the lower half first */
	SHAPE_XATTR,     /* the value is behind a pointer in struct xattr_args (linux/xattr.h) */
	SHAPE_UNREAD,    /* there is a value, beyond the arguments that are read here */
	SHAPE_POINTER,   /* the value is behind a pointer, where that is not NULL */
};

#define FILE_CALLS_MAX 512

#define OPENS(...) { .class = CALL_OPEN, __VA_ARGS__ }
#define WRITES(which, ...) { .class = CALL_WRITE, .directory = which, __VA_ARGS__ } /* value: the offset */
#define NAMES(what, ...) { .class = CALL_NAME, .action = HV_FILE_##what, __VA_ARGS__ }
#define ON_HANDLE(what, ...) { .class = CALL_HANDLE, .action = HV_FILE_##what, .directory = 1, __VA_ARGS__ }
#define CLOSES(which) { .class = CALL_CLOSE, .directory = which }
#define CLASS(which) { .class = which }
/* Calls that are the same everywhere (include/uapi/asm-generic/unistd.h). */
#define CALLS_OF_ALL                                                                                                       \
	[426] = CLASS(CALL_RING),                                                                                          \
	[429] = NAMES(MOUNT, .directory = 3, .name = 4),                                                  /* move_mount */ \
	[436] = CLASS(CALL_CLOSE_RANGE),                                                                                   \
	[437] = OPENS(.directory = 1, .name = 2, .flags = 3, .shape = SHAPE_OPEN_HOW),                       /* openat2 */ \
	[452] = NAMES(CHMOD, .directory = 1, .name = 2, .value = 3, .flags = 4),                           /* fchmodat2 */ \
	[463] = NAMES(SETXATTR, .directory = 1, .name = 2, .flags = 3, .text = 4, .value = 5, .shape = SHAPE_XATTR),       \
	[466] = NAMES(REMOVEXATTR, .directory = 1, .name = 2, .flags = 3, .text = 4),                                      \
	[469] = NAMES(SETFLAGS, .directory = 1, .name = 2, .flags = 5)                                 /* file_setattr */

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl */
const volatile struct file_call native_calls[FILE_CALLS_MAX] = {
	CALLS_OF_ALL,
	[2] = OPENS(.name = 1, .flags = 2), [85] = OPENS(.name = 1, .shape = SHAPE_CREAT), /* open creat */
	[257] = OPENS(.directory = 1, .name = 2, .flags = 3), [304] = OPENS(.flags = 3), /* openat open_by_handle_at */
	[1] = WRITES(1), [18] = WRITES(1, .value = 4), [20] = WRITES(1), [296] = WRITES(1, .value = 4), [328] = WRITES(1, .value = 4), /* write pwrite64 writev pwritev pwritev2 */
	[40] = WRITES(1), [326] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), [275] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), /* sendfile copy_file_range splice */
	[285] = { .class = CALL_ALLOCATE, .directory = 1 }, [16] = CLASS(CALL_CONTROL), [209] = CLASS(CALL_SUBMIT),
	[9] = CLASS(CALL_MAP), [10] = CLASS(CALL_PROTECT), [329] = CLASS(CALL_PROTECT), [11] = CLASS(CALL_UNMAP), /* mmap mprotect pkey_mprotect munmap */
	[3] = CLOSES(1), [33] = CLOSES(2), [292] = CLOSES(2), /* close dup2 dup3 */
	[82] = NAMES(RENAME, .name = 1, .target = 2), [264] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4),
	[316] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[87] = NAMES(DELETE, .name = 1), [263] = NAMES(DELETE, .directory = 1, .name = 2, .flags = 3), [84] = NAMES(RMDIR, .name = 1),
	[83] = NAMES(MKDIR, .name = 1, .value = 2), [258] = NAMES(MKDIR, .directory = 1, .name = 2, .value = 3),
	[133] = NAMES(MKNOD, .name = 1, .value = 2, .value_2 = 3), [259] = NAMES(MKNOD, .directory = 1, .name = 2, .value = 3, .value_2 = 4),
	[88] = NAMES(SYMLINK, .text = 1, .name = 2), [266] = NAMES(SYMLINK, .text = 1, .directory = 2, .name = 3),
	[86] = NAMES(LINK, .name = 1, .target = 2),
	[265] = NAMES(LINK, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[90] = NAMES(CHMOD, .name = 1, .value = 2), [268] = NAMES(CHMOD, .directory = 1, .name = 2, .value = 3), [91] = ON_HANDLE(CHMOD, .value = 2),
	[92] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3), [94] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3),
	[260] = NAMES(CHOWN, .directory = 1, .name = 2, .value = 3, .value_2 = 4, .flags = 5), [93] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3),
	[132] = NAMES(UTIMES, .name = 1), [235] = NAMES(UTIMES, .name = 1), [261] = NAMES(UTIMES, .directory = 1, .name = 2),
	[280] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4),
	[76] = NAMES(TRUNCATE, .name = 1, .value = 2), [77] = ON_HANDLE(TRUNCATE, .value = 2),
	[188] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4), [189] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4),
	[190] = ON_HANDLE(SETXATTR, .text = 2, .value = 4),
	[197] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [198] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [199] = ON_HANDLE(REMOVEXATTR, .text = 2),
	[165] = NAMES(MOUNT, .text = 1, .name = 2, .text_2 = 3, .value = 4), [166] = NAMES(UMOUNT, .name = 1, .value = 2),
	[155] = NAMES(MOUNT, .name = 1, .target = 2), /* pivot_root */
};
/* arch/x86/entry/syscalls/syscall_32.tbl */
const volatile struct file_call compat_calls[FILE_CALLS_MAX] = {
	CALLS_OF_ALL,
	[5] = OPENS(.name = 1, .flags = 2), [8] = OPENS(.name = 1, .shape = SHAPE_CREAT),
	[295] = OPENS(.directory = 1, .name = 2, .flags = 3), [342] = OPENS(.flags = 3),
	[4] = WRITES(1), [181] = WRITES(1, .value = 4, .shape = SHAPE_HALVES), [146] = WRITES(1),
	[334] = WRITES(1, .value = 4, .shape = SHAPE_HALVES), [379] = WRITES(1, .value = 4, .shape = SHAPE_HALVES),
	[187] = WRITES(1), [239] = WRITES(1), [377] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), [313] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), /* sendfile sendfile64 copy_file_range splice */
	[324] = { .class = CALL_ALLOCATE, .directory = 1 }, [54] = CLASS(CALL_CONTROL), [248] = CLASS(CALL_SUBMIT),
	[192] = CLASS(CALL_MAP), [125] = CLASS(CALL_PROTECT), [380] = CLASS(CALL_PROTECT), [91] = CLASS(CALL_UNMAP), /* mmap2 ... */
	[6] = CLOSES(1), [63] = CLOSES(2), [330] = CLOSES(2),
	[38] = NAMES(RENAME, .name = 1, .target = 2), [302] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4),
	[353] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[10] = NAMES(DELETE, .name = 1), [301] = NAMES(DELETE, .directory = 1, .name = 2, .flags = 3), [40] = NAMES(RMDIR, .name = 1),
	[39] = NAMES(MKDIR, .name = 1, .value = 2), [296] = NAMES(MKDIR, .directory = 1, .name = 2, .value = 3),
	[14] = NAMES(MKNOD, .name = 1, .value = 2, .value_2 = 3), [297] = NAMES(MKNOD, .directory = 1, .name = 2, .value = 3, .value_2 = 4),
	[83] = NAMES(SYMLINK, .text = 1, .name = 2), [304] = NAMES(SYMLINK, .text = 1, .directory = 2, .name = 3),
	[9] = NAMES(LINK, .name = 1, .target = 2),
	[303] = NAMES(LINK, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[15] = NAMES(CHMOD, .name = 1, .value = 2), [306] = NAMES(CHMOD, .directory = 1, .name = 2, .value = 3), [94] = ON_HANDLE(CHMOD, .value = 2),
	[182] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [212] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3),
	[16] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [198] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3),
	[298] = NAMES(CHOWN, .directory = 1, .name = 2, .value = 3, .value_2 = 4, .flags = 5),
	[95] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [207] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3),
	[30] = NAMES(UTIMES, .name = 1), [271] = NAMES(UTIMES, .name = 1), [299] = NAMES(UTIMES, .directory = 1, .name = 2),
	[320] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4), [412] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4),
	[92] = NAMES(TRUNCATE, .name = 1, .value = 2), [93] = ON_HANDLE(TRUNCATE, .value = 2),
	[193] = NAMES(TRUNCATE, .name = 1, .value = 2, .shape = SHAPE_HALVES), [194] = ON_HANDLE(TRUNCATE, .value = 2, .shape = SHAPE_HALVES),
	[226] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4), [227] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4),
	[228] = ON_HANDLE(SETXATTR, .text = 2, .value = 4),
	[235] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [236] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [237] = ON_HANDLE(REMOVEXATTR, .text = 2),
	[21] = NAMES(MOUNT, .text = 1, .name = 2, .text_2 = 3, .value = 4), [22] = NAMES(UMOUNT, .name = 1),
	[52] = NAMES(UMOUNT, .name = 1, .value = 2), [217] = NAMES(MOUNT, .name = 1, .target = 2),
};
#elif defined(__TARGET_ARCH_arm64)
/* include/uapi/asm-generic/unistd.h */
const volatile struct file_call native_calls[FILE_CALLS_MAX] = {
	CALLS_OF_ALL,
	[56] = OPENS(.directory = 1, .name = 2, .flags = 3), [265] = OPENS(.flags = 3), /* openat open_by_handle_at */
	[64] = WRITES(1), [68] = WRITES(1, .value = 4), [66] = WRITES(1), [70] = WRITES(1, .value = 4), [287] = WRITES(1, .value = 4), /* write pwrite64 writev pwritev pwritev2 */
	[71] = WRITES(1), [285] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), [76] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), /* sendfile copy_file_range splice */
	[47] = { .class = CALL_ALLOCATE, .directory = 1 }, [29] = CLASS(CALL_CONTROL), [2] = CLASS(CALL_SUBMIT),
	[222] = CLASS(CALL_MAP), [226] = CLASS(CALL_PROTECT), [288] = CLASS(CALL_PROTECT), [215] = CLASS(CALL_UNMAP),
	[57] = CLOSES(1), [24] = CLOSES(2), /* close dup3 */
	[38] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4),
	[276] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[35] = NAMES(DELETE, .directory = 1, .name = 2, .flags = 3), [34] = NAMES(MKDIR, .directory = 1, .name = 2, .value = 3),
	[33] = NAMES(MKNOD, .directory = 1, .name = 2, .value = 3, .value_2 = 4), [36] = NAMES(SYMLINK, .text = 1, .directory = 2, .name = 3),
	[37] = NAMES(LINK, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[53] = NAMES(CHMOD, .directory = 1, .name = 2, .value = 3), [52] = ON_HANDLE(CHMOD, .value = 2),
	[54] = NAMES(CHOWN, .directory = 1, .name = 2, .value = 3, .value_2 = 4, .flags = 5), [55] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3),
	[88] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4),
	[45] = NAMES(TRUNCATE, .name = 1, .value = 2), [46] = ON_HANDLE(TRUNCATE, .value = 2),
	[5] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4), [6] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4),
	[7] = ON_HANDLE(SETXATTR, .text = 2, .value = 4),
	[14] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [15] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [16] = ON_HANDLE(REMOVEXATTR, .text = 2),
	[40] = NAMES(MOUNT, .text = 1, .name = 2, .text_2 = 3, .value = 4), [39] = NAMES(UMOUNT, .name = 1, .value = 2),
	[41] = NAMES(MOUNT, .name = 1, .target = 2), /* pivot_root */
};
/* arch/arm64/tools/syscall_32.tbl; truncate64 and its like have their length from the third argument on, pwrite64 its offset beyond those that are read here */
const volatile struct file_call compat_calls[FILE_CALLS_MAX] = {
	CALLS_OF_ALL,
	[5] = OPENS(.name = 1, .flags = 2), [8] = OPENS(.name = 1, .shape = SHAPE_CREAT),
	[322] = OPENS(.directory = 1, .name = 2, .flags = 3), [371] = OPENS(.flags = 3),
	[4] = WRITES(1), [181] = WRITES(1, .shape = SHAPE_UNREAD), [146] = WRITES(1),
	[362] = WRITES(1, .value = 4, .shape = SHAPE_HALVES), [393] = WRITES(1, .value = 4, .shape = SHAPE_HALVES),
	[187] = WRITES(1), [239] = WRITES(1), [391] = WRITES(3, .value = 4, .shape = SHAPE_POINTER), [340] = WRITES(3, .value = 4, .shape = SHAPE_POINTER),
	[352] = { .class = CALL_ALLOCATE, .directory = 1 }, [54] = CLASS(CALL_CONTROL), [246] = CLASS(CALL_SUBMIT),
	[192] = CLASS(CALL_MAP), [125] = CLASS(CALL_PROTECT), [394] = CLASS(CALL_PROTECT), [91] = CLASS(CALL_UNMAP),
	[6] = CLOSES(1), [63] = CLOSES(2), [358] = CLOSES(2),
	[38] = NAMES(RENAME, .name = 1, .target = 2), [329] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4),
	[382] = NAMES(RENAME, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[10] = NAMES(DELETE, .name = 1), [328] = NAMES(DELETE, .directory = 1, .name = 2, .flags = 3), [40] = NAMES(RMDIR, .name = 1),
	[39] = NAMES(MKDIR, .name = 1, .value = 2), [323] = NAMES(MKDIR, .directory = 1, .name = 2, .value = 3),
	[14] = NAMES(MKNOD, .name = 1, .value = 2, .value_2 = 3), [324] = NAMES(MKNOD, .directory = 1, .name = 2, .value = 3, .value_2 = 4),
	[83] = NAMES(SYMLINK, .text = 1, .name = 2), [331] = NAMES(SYMLINK, .text = 1, .directory = 2, .name = 3),
	[9] = NAMES(LINK, .name = 1, .target = 2),
	[330] = NAMES(LINK, .directory = 1, .name = 2, .target_directory = 3, .target = 4, .flags = 5),
	[15] = NAMES(CHMOD, .name = 1, .value = 2), [333] = NAMES(CHMOD, .directory = 1, .name = 2, .value = 3), [94] = ON_HANDLE(CHMOD, .value = 2),
	[182] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [212] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3),
	[16] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [198] = NAMES(CHOWN, .name = 1, .value = 2, .value_2 = 3),
	[325] = NAMES(CHOWN, .directory = 1, .name = 2, .value = 3, .value_2 = 4, .flags = 5),
	[95] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3, .shape = SHAPE_SHORT_IDS), [207] = ON_HANDLE(CHOWN, .value = 2, .value_2 = 3),
	[269] = NAMES(UTIMES, .name = 1), [326] = NAMES(UTIMES, .directory = 1, .name = 2),
	[348] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4), [412] = NAMES(UTIMES, .directory = 1, .name = 2, .flags = 4),
	[92] = NAMES(TRUNCATE, .name = 1, .value = 2), [93] = ON_HANDLE(TRUNCATE, .value = 2),
	[193] = NAMES(TRUNCATE, .name = 1, .value = 3, .shape = SHAPE_HALVES), [194] = ON_HANDLE(TRUNCATE, .value = 3, .shape = SHAPE_HALVES),
	[226] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4), [227] = NAMES(SETXATTR, .name = 1, .text = 2, .value = 4),
	[228] = ON_HANDLE(SETXATTR, .text = 2, .value = 4),
	[235] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [236] = NAMES(REMOVEXATTR, .name = 1, .text = 2), [237] = ON_HANDLE(REMOVEXATTR, .text = 2),
	[21] = NAMES(MOUNT, .text = 1, .name = 2, .text_2 = 3, .value = 4), [52] = NAMES(UMOUNT, .name = 1, .value = 2),
	[218] = NAMES(MOUNT, .name = 1, .target = 2),
};
#endif

/* A call as one number, for the global functions: the kernel's number, and whether it is a 32-bit one. */
#define CALL_KEY(number, compat) ((__u32)(number) | ((compat) ? 0x80000000u : 0))
#define CALL_IS_COMPAT(key) ((key) >> 31)

static __always_inline const volatile struct file_call *file_call(__u32 key)
{
	__u32 number = key & 0x7fffffff;

	if (number >= FILE_CALLS_MAX)
		number = 0; /* no call of these: io_setup, read, restart_syscall */
	return CALL_IS_COMPAT(key) ? &compat_calls[number & (FILE_CALLS_MAX - 1)] : &native_calls[number & (FILE_CALLS_MAX - 1)];
}

/* An argument by its number, 0 where that is 0. A global function, for the verifier: its arguments are numbers. */
__noinline __u64 call_argument(__u64 registers, __u32 key, __u32 number)
{
	struct pt_regs *regs = (void *)registers;

	if (!CALL_IS_COMPAT(key)) {
		switch (number) {
		case 1: return syscall_argument_1(regs);
		case 2: return syscall_argument_2(regs);
		case 3: return syscall_argument_3(regs);
		case 4: return syscall_argument_4(regs);
		case 5: return syscall_argument_5(regs);
		}
		return 0;
	}
	switch (number) {
	case 1: return compat_argument_1(regs);
	case 2: return compat_argument_2(regs);
	case 3: return compat_argument_3(regs);
	case 4: return compat_argument_4(regs);
	case 5: return compat_argument_5(regs);
	}
	return 0;
}

#endif
