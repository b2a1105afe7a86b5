#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "KernelABI.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

int hv_open_below(int root, const char *path, int cached)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | (root >= 0 ? RESOLVE_IN_ROOT : 0) | (cached ? RESOLVE_CACHED : 0),
	};

	return syscall(SYS_openat2, root >= 0 ? root : AT_FDCWD, path, &how, sizeof(how));
}

unsigned int hv_file_system(int descriptor)
{
	struct statfs status;

	return fstatfs(descriptor, &status) ? 0 : (unsigned int)status.f_type;
}

int hv_open_again(int descriptor)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	char path[32];
	int opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	opened = open(path, flags | O_NOATIME);
	return opened < 0 && errno == EPERM ? open(path, flags) : opened;
}

void hv_read_once(int descriptor)
{
	posix_fadvise(descriptor, 0, 0, POSIX_FADV_NOREUSE);
}

int hv_is_locked(int descriptor)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void hv_be_behind(void)
{
	/* Priorities are a thread's own on Linux. The I/O class: IOPRIO_WHO_PROCESS 1, IOPRIO_CLASS_IDLE 3 << 13 (linux/ioprio.h). */
	setpriority(PRIO_PROCESS, syscall(SYS_gettid), 10);
	syscall(SYS_ioprio_set, 1, 0, 3 << 13);
}

int hv_run(const char *path, char *const arguments[], char *const environment[], int *output)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int ends[2], result;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	result = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(ends[1]);
	if (result) {
		close(ends[0]);
		return -result;
	}
	*output = ends[0];
	return pid;
}
