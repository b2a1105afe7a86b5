/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int flood(int directory, uint32_t number, uint32_t rounds)
{
	char name[32], renamed[32];
	snprintf(name, sizeof name, "flood-%u", number);
	snprintf(renamed, sizeof renamed, "renamed-%u", number);
	for (uint32_t i = 0; i < rounds; i++) {
		int fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0 || close(fd) < 0 || renameat(directory, name, directory, renamed) < 0 || unlinkat(directory, renamed, 0) < 0)
			return errno;
	}
	return 0;
}

int acts_flood_start(const char *directory, uint32_t processes, uint32_t rounds, pid_t *pids)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = 0;
	for (uint32_t i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(flood(fd, i, rounds));
		if (pids[i] < 0)
			error = -errno;
	}
	close(fd);
	return error;
}
