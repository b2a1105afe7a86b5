/* SPDX-License-Identifier: Apache-2.0 */
/* liar PROGRAM PADDING: calls itself QEMU, in its name and in the memory that its arguments are read from, and then starts PROGRAM. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	static const char forged[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=forged\0-uuid\0007f3cc1a2-0d5e-4c55-9d3b-1d2f6c0e9a03";
	char *program, *end;
	size_t room;
	int status;

	if (count < 3 || !(program = strdup(arguments[1])))
		return 2;
	end = arguments[count - 1] + strlen(arguments[count - 1]) + 1;
	room = end - arguments[0];
	if (room < sizeof(forged))
		return 3;
	memset(arguments[0], 0, room);
	memcpy(arguments[0], forged, sizeof(forged));
	prctl(PR_SET_NAME, "qemu-system-x86");
	if (fork() == 0) {
		execl(program, program, (char *)NULL);
		_exit(4);
	}
	return wait(&status) < 0 || status != 0;
}
