/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 256 };

/* In memory that all flooding processes share. */
struct acts_flood {
	atomic_int stop;
	uint32_t processes, writes;
	pid_t pids[PROCESSES_MAX];
	uint32_t rounds[PROCESSES_MAX]; /* each written by its own process */
};

static int flood(struct acts_flood *shared, int directory, uint32_t number, uint32_t least)
{
	char name[32], renamed[32];
	snprintf(name, sizeof name, "flood-%u", number);
	snprintf(renamed, sizeof renamed, "renamed-%u", number);
	while (shared->rounds[number] < least || !atomic_load(&shared->stop)) {
		int fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno;
		for (uint32_t i = 0; i < shared->writes; i++)
			if (pwrite(fd, "flooding", 8, 0) != 8)
				return errno;
		if (close(fd) < 0 || renameat(directory, name, directory, renamed) < 0 || unlinkat(directory, renamed, 0) < 0)
			return errno;
		shared->rounds[number]++;
	}
	return 0;
}

static struct acts_flood *start(const char *directory, uint32_t processes, uint32_t least, uint32_t writes)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct acts_flood *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || shared == MAP_FAILED)
		return NULL;
	shared->writes = writes;
	shared->processes = processes < PROCESSES_MAX ? processes : PROCESSES_MAX;
	for (uint32_t i = 0; i < shared->processes; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(flood(shared, fd, i, least));
		shared->pids[i] = pid; /* not by the child, whose memory this is too */
	}
	close(fd);
	return shared;
}

struct acts_flood *acts_flood_start(const char *directory, uint32_t processes, uint32_t least)
{
	return start(directory, processes, least, 0);
}

struct acts_flood *acts_flood_writes(const char *directory, uint32_t processes, uint32_t writes)
{
	return start(directory, processes, 1, writes);
}

int64_t acts_flood_end(struct acts_flood *shared)
{
	int64_t changes = 0;
	int error = 0;
	atomic_store(&shared->stop, 1);
	for (uint32_t i = 0; i < shared->processes; i++) {
		int status = shared->pids[i] < 0 ? -EAGAIN : acts_wait(shared->pids[i]);
		if (status != 0)
			error = status < 0 ? -status : WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
		changes += (3 + (int64_t)shared->writes) * (int64_t)shared->rounds[i];
	}
	munmap(shared, sizeof *shared);
	return error != 0 ? -error : changes;
}
