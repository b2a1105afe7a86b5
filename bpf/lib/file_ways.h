/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* In what way a system call changes a file (HV_VIA_*), by its number. */
#ifndef HV_FILE_WAYS_H
#define HV_FILE_WAYS_H

#include "syscall.h"

#define WAYS_MAX 512

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl */
const volatile __u16 native_ways[WAYS_MAX] = {
	[1] = HV_VIA_WRITE, [18] = HV_VIA_WRITE, [20] = HV_VIA_WRITE, [296] = HV_VIA_WRITE, [328] = HV_VIA_WRITE,
	[40] = HV_VIA_SENDFILE, [275] = HV_VIA_SPLICE, [278] = HV_VIA_SPLICE, [326] = HV_VIA_COPY,
	[16] = HV_VIA_REFLINK, /* ioctl: FICLONE */
	[285] = HV_VIA_FALLOCATE, [209] = HV_VIA_AIO, [426] = HV_VIA_IO_URING,
	[76] = HV_VIA_TRUNCATE, [77] = HV_VIA_TRUNCATE, [2] = HV_VIA_TRUNCATE, [85] = HV_VIA_TRUNCATE, [257] = HV_VIA_TRUNCATE, [437] = HV_VIA_TRUNCATE,
};
/* arch/x86/entry/syscalls/syscall_32.tbl */
const volatile __u16 compat_ways[WAYS_MAX] = {
	[4] = HV_VIA_WRITE, [181] = HV_VIA_WRITE, [146] = HV_VIA_WRITE, [334] = HV_VIA_WRITE, [379] = HV_VIA_WRITE,
	[187] = HV_VIA_SENDFILE, [239] = HV_VIA_SENDFILE, [313] = HV_VIA_SPLICE, [316] = HV_VIA_SPLICE, [377] = HV_VIA_COPY,
	[54] = HV_VIA_REFLINK,
	[324] = HV_VIA_FALLOCATE, [248] = HV_VIA_AIO, [426] = HV_VIA_IO_URING,
	[92] = HV_VIA_TRUNCATE, [93] = HV_VIA_TRUNCATE, [193] = HV_VIA_TRUNCATE, [194] = HV_VIA_TRUNCATE,
	[5] = HV_VIA_TRUNCATE, [8] = HV_VIA_TRUNCATE, [295] = HV_VIA_TRUNCATE, [437] = HV_VIA_TRUNCATE,
};
#elif defined(__TARGET_ARCH_arm64)
/* include/uapi/asm-generic/unistd.h */
const volatile __u16 native_ways[WAYS_MAX] = {
	[64] = HV_VIA_WRITE, [66] = HV_VIA_WRITE, [68] = HV_VIA_WRITE, [70] = HV_VIA_WRITE, [287] = HV_VIA_WRITE,
	[71] = HV_VIA_SENDFILE, [75] = HV_VIA_SPLICE, [76] = HV_VIA_SPLICE, [285] = HV_VIA_COPY,
	[29] = HV_VIA_REFLINK,
	[47] = HV_VIA_FALLOCATE, [2] = HV_VIA_AIO, [426] = HV_VIA_IO_URING,
	[45] = HV_VIA_TRUNCATE, [46] = HV_VIA_TRUNCATE, [56] = HV_VIA_TRUNCATE, [437] = HV_VIA_TRUNCATE,
};
/* arch/arm64/tools/syscall_32.tbl */
const volatile __u16 compat_ways[WAYS_MAX] = {
	[4] = HV_VIA_WRITE, [181] = HV_VIA_WRITE, [146] = HV_VIA_WRITE, [362] = HV_VIA_WRITE, [393] = HV_VIA_WRITE,
	[187] = HV_VIA_SENDFILE, [239] = HV_VIA_SENDFILE, [340] = HV_VIA_SPLICE, [343] = HV_VIA_SPLICE, [391] = HV_VIA_COPY,
	[54] = HV_VIA_REFLINK,
	[352] = HV_VIA_FALLOCATE, [246] = HV_VIA_AIO, [426] = HV_VIA_IO_URING,
	[92] = HV_VIA_TRUNCATE, [93] = HV_VIA_TRUNCATE, [193] = HV_VIA_TRUNCATE, [194] = HV_VIA_TRUNCATE,
	[5] = HV_VIA_TRUNCATE, [8] = HV_VIA_TRUNCATE, [322] = HV_VIA_TRUNCATE, [437] = HV_VIA_TRUNCATE,
};
#endif

/* A fault, or a call that writes to memory: what changes is a file that is mapped there. */
static __always_inline __u32 way_of_call(__u32 number, bool compat)
{
	__u32 way;

	if (number >= WAYS_MAX)
		return HV_VIA_MMAP;
	way = compat ? compat_ways[number & (WAYS_MAX - 1)] : native_ways[number & (WAYS_MAX - 1)];
	return way ? way : HV_VIA_MMAP;
}

#endif
