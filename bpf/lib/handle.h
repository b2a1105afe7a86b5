/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a file descriptor of the current process to its open file. */
#ifndef HV_HANDLE_H
#define HV_HANDLE_H

#include "task.h"

/* NULL where the descriptor is not open. Other threads may close it meanwhile: the reads fault safely. */
static __always_inline struct file *file_of_descriptor(__u32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(current_task(), files, fdt);
	struct file **files, *file = NULL;

	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + descriptor);
	return file;
}

#endif
