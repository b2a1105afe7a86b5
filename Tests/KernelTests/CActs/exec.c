/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const no_environment[] = {NULL};

static char *const *backtrace_environment(void)
{
	static char *environment[2];

	for (char **variable = environ; *variable != NULL; variable++)
		if (strncmp(*variable, "SWIFT_BACKTRACE=", strlen("SWIFT_BACKTRACE=")) == 0)
			environment[0] = *variable;
	return environment;
}

static void *exec_in_thread(void *argument)
{
	const struct acts_exec *exec = argument;
	execve(exec->path, exec->argv, no_environment);
	_exit(errno);
}

#ifdef __x86_64__
/* int $0x80 takes pointers of 32 bits: everything is copied below 4 GiB. */
static int execve_int80(const struct acts_exec *exec)
{
	size_t need = strlen(exec->path) + 1, count = 0;
	while (exec->argv[count] != NULL)
		need += strlen(exec->argv[count++]) + 1;
	need += (count + 1) * sizeof(uint32_t);
	char *low = mmap(NULL, need, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		return -errno;
	uint32_t *argv = (uint32_t *)low;
	char *next = low + (count + 1) * sizeof(uint32_t);
	for (size_t i = 0; i < count; i++) {
		argv[i] = (uint32_t)(uintptr_t)next;
		next = stpcpy(next, exec->argv[i]) + 1;
	}
	argv[count] = 0;
	strcpy(next, exec->path);
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(11), "b"(next), "c"(argv), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
static int execve_int80(const struct acts_exec *exec)
{
	(void)exec;
	return -ENOSYS;
}
#endif

static int run(const struct acts_exec *exec)
{
	if (exec->out >= 0 && dup2(exec->out, 1) < 0)
		return errno;
	if (exec->error >= 0 && dup2(exec->error, 2) < 0)
		return errno;
	if (exec->directory != NULL && chdir(exec->directory) < 0)
		return errno;
	/* The raw calls: glibc's would signal threads that a forked child doesn't have. */
	if (exec->ids && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, exec->real, exec->effective, exec->saved) < 0 ||
			  syscall(SYS_setresuid, exec->real, exec->effective, exec->saved) < 0))
		return errno;
	switch (exec->way) {
	case ACTS_EXECVE:
		execve(exec->path, exec->argv, exec->traced ? backtrace_environment() : no_environment);
		return errno;
	case ACTS_EXECVEAT_FD:
		syscall(SYS_execveat, exec->fd, "", exec->argv, no_environment, AT_EMPTY_PATH);
		return errno;
	case ACTS_FROM_THREAD: {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, exec_in_thread, (void *)exec);
		if (error != 0)
			return error;
		for (;;)
			pause();
	}
	case ACTS_INT80:
		return -execve_int80(exec);
	}
	return EINVAL;
}

pid_t acts_start(const struct acts_exec *exec)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(run(exec));
	return pid < 0 ? -errno : pid;
}

int acts_wait(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int acts_spawn_many(const char *path, uint32_t count, uint32_t parallel, pid_t *pids)
{
	char *const argv[] = {(char *)path, NULL};
	uint32_t running = 0;
	for (uint32_t i = 0; i < count; i++) {
		int error = posix_spawn(&pids[i], path, NULL, NULL, argv, no_environment);
		if (error != 0)
			return -error;
		running++;
		while (running > 0 && waitpid(-1, NULL, running < parallel ? WNOHANG : 0) > 0)
			running--;
	}
	while (running > 0 && waitpid(-1, NULL, 0) > 0)
		running--;
	return 0;
}

int acts_memfd_of(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("hypervigil-act", MFD_CLOEXEC);
	struct stat stat;
	int result = to;
	if (from < 0 || to < 0 || fstat(from, &stat) < 0 || sendfile(to, from, NULL, (size_t)stat.st_size) != stat.st_size)
		result = -errno;
	if (from >= 0)
		close(from);
	return result;
}

void acts_run_on(int cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	for (int each = 0; each < CPU_SETSIZE; each++)
		if (cpu < 0 || each == cpu)
			CPU_SET(each, &cpus);
	/* Where there is no such CPU all goes on as it was. */
	sched_setaffinity(0, sizeof cpus, &cpus);
}
