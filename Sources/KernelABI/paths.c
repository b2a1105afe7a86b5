#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "KernelABI.h"

int hv_name(const char *path, struct hv_name *name)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &status))
		return errno;
	name->inode = status.stx_ino;
	name->born = status.stx_mask & STATX_BTIME ? (__u64)status.stx_btime.tv_sec * 1000000000ULL + status.stx_btime.tv_nsec : 0;
	name->mount = status.stx_mask & STATX_MNT_ID ? status.stx_mnt_id : 0;
	name->device = status.stx_dev_major << 20 | status.stx_dev_minor;
	name->mode = status.stx_mode;
	name->links = status.stx_nlink;
	name->mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}

void hv_be_idle(void)
{
	struct sched_param none = { 0 };

	/* Priorities are a thread's own on Linux. The I/O class: IOPRIO_WHO_PROCESS 1, IOPRIO_CLASS_IDLE 3 << 13 (linux/ioprio.h). */
	setpriority(PRIO_PROCESS, syscall(SYS_gettid), 19);
	sched_setscheduler(0, SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, 1, 0, 3 << 13);
}

struct start {
	void (*body)(void *);
	void *context;
};

static void *run(void *argument)
{
	struct start start = *(struct start *)argument;

	free(argument);
	start.body(start.context);
	return NULL;
}

int hv_detached_thread(void (*body)(void *), void *context)
{
	struct start *start = malloc(sizeof(*start));
	pthread_attr_t attributes;
	pthread_t thread;
	int result;

	if (!start)
		return ENOMEM;
	*start = (struct start){ body, context };
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	result = pthread_create(&thread, &attributes, run, start);
	pthread_attr_destroy(&attributes);
	if (result)
		free(start);
	return result;
}

int hv_open_inside(int folder, const char *path, int strict)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_NO_MAGICLINKS | (strict ? RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV : RESOLVE_IN_ROOT),
	};

	return syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

__u64 hv_cgroup_id(int folder)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} to = { .handle.handle_bytes = sizeof(__u64) };
	struct stat status;
	__u64 id;
	int mount;

	if (!name_to_handle_at(folder, "", &to.handle, &mount, AT_EMPTY_PATH) && to.handle.handle_bytes == sizeof(id)) {
		memcpy(&id, to.handle.f_handle, sizeof(id));
		return id;
	}
	/* The same number where an inode number has 64 bits (kernfs_ino). */
	return fstat(folder, &status) ? 0 : status.st_ino;
}
