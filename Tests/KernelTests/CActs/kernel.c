/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int acts_init_module(const void *image, size_t size, const char *arguments)
{
	return syscall(SYS_init_module, image, size, arguments) < 0 ? -errno : 0;
}

int acts_finit_module(int fd, const char *arguments)
{
	return syscall(SYS_finit_module, fd, arguments, 0) < 0 ? -errno : 0;
}

int acts_delete_module(const char *name)
{
	return syscall(SYS_delete_module, name, 0) < 0 ? -errno : 0;
}

int acts_contains(const void *bytes, size_t size, const void *needle, size_t needle_size)
{
	return memmem(bytes, size, needle, needle_size) != NULL;
}

void acts_line_buffer(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static int drop_module_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return errno;
	data[CAP_TO_INDEX(CAP_SYS_MODULE)].effective &= ~CAP_TO_MASK(CAP_SYS_MODULE);
	return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

pid_t acts_finit_module_unprivileged(int fd)
{
	pid_t pid = fork();
	if (pid == 0) {
		int error = drop_module_capability();
		_exit(error != 0 ? error : -acts_finit_module(fd, ""));
	}
	return pid < 0 ? -errno : pid;
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

int acts_bpf_programs(struct acts_program *programs, uint32_t capacity)
{
	uint32_t count = 0, id = 0;
	for (;;) {
		union bpf_attr attr;
		memset(&attr, 0, sizeof attr);
		attr.start_id = id;
		if (bpf(BPF_PROG_GET_NEXT_ID, &attr) < 0)
			return errno == ENOENT ? (int)count : -errno;
		id = attr.next_id;
		if (count == capacity)
			return -E2BIG;
		memset(&attr, 0, sizeof attr);
		attr.prog_id = id;
		int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (fd < 0 && errno == ENOENT)
			continue; /* unloaded meanwhile */
		if (fd < 0)
			return -errno;
		struct bpf_prog_info info;
		memset(&info, 0, sizeof info);
		memset(&attr, 0, sizeof attr);
		attr.info.bpf_fd = (uint32_t)fd;
		attr.info.info_len = sizeof info;
		attr.info.info = (uintptr_t)&info;
		int error = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? errno : 0;
		close(fd);
		if (error != 0)
			return -error;
		programs[count].id = id;
		programs[count].type = info.type;
		memcpy(programs[count].name, info.name, sizeof programs[count].name);
		count++;
	}
}
