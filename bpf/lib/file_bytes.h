/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How many bytes were written and where (files.detail). The functions that set time stamps
 * run before the write; what came of it, its end tells: hooks of the calls that write
 * (detail.h), or the end of the system call (spelled.h).
 */
#ifndef HV_FILE_BYTES_H
#define HV_FILE_BYTES_H

#include "changes.h"

/* Whether the caller is to tell of the first change, which waited for its bytes. */
static __always_inline bool handle_waits(struct handle *handle)
{
#ifdef NO_FETCH
	if (!handle->waits)
		return false;
	*(volatile __u32 *)&handle->waits = 0;
	return true;
#else
	return handle->waits && __sync_val_compare_and_swap(&handle->waits, 1, 0) == 1;
#endif
}

static __always_inline int handle_wrote(struct file *file, struct handle *handle, __s64 bytes, __u64 offset)
{
	bool first = handle_waits(handle);

	handle->flags |= HV_FILE_BYTES;
	if (bytes > 0) {
#ifdef NO_FETCH
		handle->bytes += bytes;
#else
		__sync_fetch_and_add(&handle->bytes, bytes);
#endif
		if (settings.detail == HV_DETAIL_EVERY_WRITE)
			return write_each(file, handle, bytes, offset);
	}
	return first ? write_report(file, handle, HV_FILE_OPEN) : 0;
}

/*
 * A write through a file ended: so many bytes or an error. `other`: told by a context that need
 * not be the writer's, which is then taken to be who the table has first. A global function,
 * for the verifier: its arguments are numbers.
 */
__noinline int file_wrote(__u64 address, __s64 bytes, __u64 offset, __u32 other)
{
	struct file *file = (struct file *)address;
	struct handle_set *set = handle_set_of(address);
	__u32 pid = bpf_get_current_pid_tgid() >> 32, exec = TASK_READ(current_task(), self_exec_id);
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if (!set)
		return 0;
	for (int way = 0; way < HV_WAYS; way++) {
		struct handle *handle = &set->ways[way];

		if (handle->file != address || !handle_is_of(handle, inode, false) || (!other && (handle->pid != pid || handle->exec != exec)))
			continue;
		return handle_wrote(file, handle, bytes, offset);
	}
	return 0;
}

#endif
