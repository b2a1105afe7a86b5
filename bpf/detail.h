/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * files.detail: the ends of the calls that write, which know how much and where. Attached only
 * when it is asked for. A write of a file outside the watch pays a look-up.
 */
#ifndef HV_DETAIL_H
#define HV_DETAIL_H

#include "lib/file_bytes.h"

#define IOCB_WRITE (1 << 18) /* include/linux/fs.h, 5.10 */
#define EIOCBQUEUED 529      /* include/linux/errno.h */

/*
 * Where a write began whose position, that argument of the function, has moved on to its end; all ones
 * where there is no position. 5.10 lets no pointer to a number through as a typed argument.
 */
static __always_inline __u64 began_at(const unsigned long long *context, int argument, __s64 bytes)
{
	const __s64 *position = (void *)context_argument(context, argument);
	__s64 end;

	if (!position || bytes < 0 || bpf_probe_read_kernel(&end, sizeof(end), position))
		return ~0ULL;
	return end - bytes;
}

/* ssize_t vfs_write(struct file *file, const char __user *buf, size_t count, loff_t *pos) -- fs/read_write.c */
SEC("fexit/vfs_write")
int BPF_PROG(file_bytes_write, struct file *file, const char *from, unsigned long count, void *position, long result)
{
	return handle_known(file) ? file_wrote(address_number(file), result, began_at(ctx, 3, result), false) : 0;
}

/* ssize_t vfs_writev(struct file *file, const struct iovec __user *vec, unsigned long vlen, loff_t *pos, rwf_t flags) */
SEC("fexit/vfs_writev")
int BPF_PROG(file_bytes_writev, struct file *file, void *parts, unsigned long number, void *position, int flags, long result)
{
	return handle_known(file) ? file_wrote(address_number(file), result, began_at(ctx, 3, result), false) : 0;
}

/*
 * ssize_t vfs_iter_write(struct file *file, struct iov_iter *iter, loff_t *ppos, rwf_t flags): the kernel for
 * another, an overlay on its layer. Before 6.8 the function for splices comes here too, with the file
 * that it counts for itself.
 */
SEC("fexit/vfs_iter_write")
int BPF_PROG(file_bytes_iter, struct file *file, void *from, void *position, int flags, long result)
{
	__u32 way;

	if (!handle_known(file))
		return 0;
	way = via_of_call(current_call(), TASK_READ(current_task(), flags));
	if (way & (HV_VIA_SENDFILE | HV_VIA_SPLICE | HV_VIA_COPY))
		return 0;
	return file_wrote(address_number(file), result, began_at(ctx, 2, result), false);
}

/* ssize_t vfs_iocb_iter_write(struct file *file, struct kiocb *iocb, struct iov_iter *iter): an overlay's AIO and io_uring on its layer */
SEC("fexit/vfs_iocb_iter_write")
int BPF_PROG(file_bytes_iocb, struct file *file, struct kiocb *request, void *from, long result)
{
	if (result == -EIOCBQUEUED || !handle_known(file))
		return 0;
	return file_wrote(address_number(file), result, result < 0 ? ~0ULL : (__u64)request->ki_pos - result, false);
}

/*
 * ssize_t iter_file_splice_write(struct pipe_inode_info *pipe, struct file *out, loff_t *ppos, size_t len,
 *     unsigned int flags) -- fs/splice.c: splice, sendfile, and what the next one falls back to.
 */
SEC("fexit/iter_file_splice_write")
int BPF_PROG(file_bytes_splice, void *pipe, struct file *file, void *position, unsigned long length, unsigned int flags, long result)
{
	if (!handle_known(file) || via_of_call(current_call(), TASK_READ(current_task(), flags)) & (HV_VIA_COPY | HV_VIA_KERNEL))
		return 0;
	return file_wrote(address_number(file), result, began_at(ctx, 2, result), false);
}

/*
 * ssize_t vfs_copy_file_range(struct file *file_in, loff_t pos_in, struct file *file_out, loff_t pos_out,
 *     size_t len, unsigned int flags) -- fs/read_write.c
 */
SEC("fexit/vfs_copy_file_range")
int BPF_PROG(file_bytes_copy, struct file *from, __s64 from_position, struct file *file, __s64 position, unsigned long length, unsigned int flags, long result)
{
	return handle_known(file) ? file_wrote(address_number(file), result, position, false) : 0;
}

/* The end of a request: its kiocb comes first in the request, and its position has moved on. */
static __always_inline int request_done(unsigned long long *context, bool other)
{
	struct kiocb *request = (void *)context_argument(context, 0);
	__s64 result = context_argument(context, 1);
	struct file *file = BPF_CORE_READ(request, ki_filp);

	if (result == -EIOCBQUEUED || !(BPF_CORE_READ(request, ki_flags) & IOCB_WRITE) || !handle_known(file))
		return 0;
	return file_wrote((__u64)file, result, result < 0 ? ~0ULL : (__u64)BPF_CORE_READ(request, ki_pos) - result, other);
}

/* static int kiocb_done(struct io_kiocb *req, ssize_t ret, ...) -- io_uring/rw.c; before 5.19 (struct kiocb *kiocb, ...) */
SEC("fentry/kiocb_done")
int file_bytes_ring(unsigned long long *context)
{
	return request_done(context, false);
}

/* static void io_complete_rw(struct kiocb *kiocb, long res): of what was queued, by whoever ends it; errors of the above too */
SEC("fentry/io_complete_rw")
int file_bytes_ring_later(unsigned long long *context)
{
	return request_done(context, true);
}

/* static void aio_complete_rw(struct kiocb *kiocb, long res) -- fs/aio.c */
SEC("fentry/aio_complete_rw")
int file_bytes_aio(unsigned long long *context)
{
	return request_done(context, true);
}

#endif
