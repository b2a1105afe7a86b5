#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "KernelABI.h"

int hv_open_process(int pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

int hv_process_lives(int process)
{
	struct pollfd state = { .fd = process, .events = POLLIN };

	return poll(&state, 1, 0) == 0;
}

int hv_name_of(int descriptor, struct hv_name *name)
{
	struct statx status;

	/* Not synchronised: a file system in user space is not asked. */
	if (statx(descriptor, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &status))
		return errno;
	*name = (struct hv_name){
		.inode = status.stx_ino,
		.born = status.stx_mask & STATX_BTIME ? (__u64)status.stx_btime.tv_sec * 1000000000ULL + status.stx_btime.tv_nsec : 0,
		.mount = status.stx_mask & STATX_MNT_ID ? status.stx_mnt_id : 0,
		.device = status.stx_dev_major << 20 | status.stx_dev_minor,
		.mode = status.stx_mode,
		.links = status.stx_nlink,
		.mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
	};
	return 0;
}

/* Takes over `place`, an O_PATH descriptor. To open a device can set something off, so what it is is looked at first. */
static int open_place(int place)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	char path[32];
	struct stat status;
	int file = -1, error;

	if (place < 0)
		return -1;
	if (fstat(place, &status)) {
		error = errno;
	} else if (!S_ISREG(status.st_mode)) {
		error = ENXIO;
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		/* A tenant's file shows nothing of having been read, where that may be. */
		file = open(path, flags | O_NOATIME);
		if (file < 0 && errno == EPERM)
			file = open(path, flags);
		error = errno;
	}
	close(place);
	errno = error;
	return file;
}

int hv_open_in_root(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return open_place(syscall(SYS_openat2, root, path, &how, sizeof(how)));
}

int hv_open_regular(const char *path)
{
	return open_place(open(path, O_PATH | O_CLOEXEC));
}
