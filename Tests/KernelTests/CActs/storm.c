/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of processes, each the child of the one before, with a log of who was whose child. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "CActs.h"

static uint64_t boot_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Every other process waits for its child; the rest end first, and their children get another parent. */
static void generation(struct acts_storm_entry *log, uint32_t index, uint32_t left)
{
	log[index].pid = getpid();
	log[index].after = boot_time();
	if (left) {
		log[index + 1].parent = index;
		log[index + 1].before = boot_time();
		pid_t child = fork();

		if (child == 0)
			generation(log, index + 1, left - 1);
		if (child < 0)
			log[index + 1].before = 0;
		else if (index % 2)
			waitpid(child, NULL, 0);
	}
	_exit(0);
}

struct acts_storm_entry *acts_storm(uint32_t chains, uint32_t generations, uint32_t parallel)
{
	size_t size = (size_t)chains * generations * sizeof(struct acts_storm_entry);
	struct acts_storm_entry *log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t root;

	if (log == MAP_FAILED)
		return NULL;
	root = fork();
	if (root == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		for (uint32_t chain = 0; chain < chains; chain++) {
			uint32_t index = chain * generations;

			log[index].parent = UINT32_MAX;
			log[index].before = boot_time();
			pid_t child = fork();

			if (child == 0)
				generation(log, index, generations - 1);
			if (child < 0)
				log[index].before = 0;
			/* All of `parallel` chains, to the last orphan. */
			if (chain % parallel == parallel - 1 || chain == chains - 1)
				while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
					;
		}
		_exit(0);
	}
	if (root < 0 || waitpid(root, NULL, 0) != root) {
		munmap(log, size);
		return NULL;
	}
	return log;
}

void acts_storm_free(struct acts_storm_entry *log, uint32_t chains, uint32_t generations)
{
	munmap(log, (size_t)chains * generations * sizeof(*log));
}
