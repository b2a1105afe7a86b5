/* SPDX-License-Identifier: Apache-2.0 */
/* end code N | end signal N: end that way. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	int number = atoi(argv[2]);
	if (strcmp(argv[1], "signal") == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		kill(getpid(), number);
		pause();
	}
	_exit(number);
}
