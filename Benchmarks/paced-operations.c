/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paced-operations FOLDER OPERATION COUNT: makes events, a hundred operations at a time with a pause behind
 * them, so that a monitor keeps up which runs a hundred times slower than it would.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char block[4096];

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void do_write(void)
{
	int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	must(fd >= 0 && pwrite(fd, block, sizeof block, 0) == sizeof block && close(fd) == 0, "open, pwrite, close");
}

static void do_rename(void)
{
	must(rename("file", "other") == 0 && rename("other", "file") == 0, "rename");
}

static void do_spawn(void)
{
	char *arguments[] = {"true", NULL}, *environment[] = {NULL};
	pid_t child;
	must(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment) == 0, "posix_spawn");
	must(waitpid(child, NULL, 0) == child, "waitpid");
}

int main(int count, char **arguments)
{
	must(count == 4 && chdir(arguments[1]) == 0, "usage: paced-operations FOLDER write|rename|spawn COUNT");
	void (*operation)(void) = !strcmp(arguments[2], "spawn") ? do_spawn : !strcmp(arguments[2], "rename") ? do_rename : do_write;
	do_write();
	for (int i = 0; i < atoi(arguments[3]); i++) {
		operation();
		if (i % 100 == 99)
			usleep(30000);
	}
	return 0;
}
