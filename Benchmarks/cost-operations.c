/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost-operations FOLDER PROGRAM [OPERATION...]: what each operation takes, one `name<TAB>nanoseconds` a line.
 * Only those whose names begin so, where some are given.
 *
 * Files are in FOLDER, PROGRAM is what spawn starts. In a guest that counts instructions a nanosecond is
 * an instruction, and all that runs on the one CPU meanwhile is in it. Each operation is warmed up until a
 * consumer that drains on a timer has found its pace, then measured in windows of several of its periods. The median of them is
 * told: what a monitor does once a minute falls into one of them, and belongs to what it takes when idle.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const long long warm_up = 300000000, measured = 400000000; /* ns */
enum { windows = 5 };

static const char *program;
static int handle;
static char block[4096];

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void do_getppid(void) { syscall(SYS_getppid); }

static void do_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	must(fd >= 0 && close(fd) == 0, path);
}

static void do_open_read(void) { do_open("file", O_RDONLY); }
static void do_open_write(void) { do_open("file", O_WRONLY); }

/* 20 levels down. */
static char deep[64];
static void prepare_deep(void)
{
	for (int level = 0; level < 20; level++) {
		strcat(deep, "d/");
		must(mkdir(deep, 0755) == 0 || access(deep, F_OK) == 0, deep);
	}
	strcat(deep, "file");
	int fd = open(deep, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	must(fd >= 0 && close(fd) == 0, deep);
}
static void do_open_deep(void) { do_open(deep, O_WRONLY); }

/* As a container has its files; where FOLDER/overlay is one. */
static int merged = -1;
static void do_open_overlay(void) { do_open("overlay/file", O_WRONLY); }
static void do_pwrite_overlay(void) { must(pwrite(merged, block, sizeof block, 0) == sizeof block, "overlay: pwrite"); }

/* A disk image that a virtual machine writes to: one request at a time, at random places. */
enum { image_size = 16 << 20 };
static int image = -1, ring = -1;
static unsigned *submitted, *completed;
static struct io_uring_sqe *request;
static void prepare_ring(void)
{
	struct io_uring_params parameters = {0};
	image = open("image", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	must(image >= 0 && posix_fallocate(image, 0, image_size) == 0, "image");
	ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
	must(ring >= 0, "io_uring_setup");
	size_t queue = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
	char *sq = mmap(NULL, queue, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			IORING_OFF_CQ_RING);
	request = mmap(NULL, sizeof *request, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	must(sq != MAP_FAILED && cq != MAP_FAILED && request != MAP_FAILED, "io_uring: mmap");
	submitted = (unsigned *)(sq + parameters.sq_off.tail);
	completed = (unsigned *)(cq + parameters.cq_off.head);
	((unsigned *)(sq + parameters.sq_off.array))[0] = 0;
}
static void do_ring_write(void)
{
	static unsigned seed = 1;
	seed = seed * 1664525 + 1013904223;
	*request = (struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = image, .addr = (unsigned long long)block, .len = sizeof block,
		.off = (seed >> 8) % (image_size / sizeof block) * sizeof block};
	__atomic_store_n(submitted, *submitted + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1, "io_uring_enter");
	__atomic_store_n(completed, *completed + 1, __ATOMIC_RELEASE);
}
static void do_pread(void) { must(pread(handle, block, 512, 0) == 512, "pread"); }
static void do_pwrite(void) { must(pwrite(handle, block, sizeof block, 0) == sizeof block, "pwrite"); }

static void do_write_cycle(void)
{
	int fd = open("file", O_WRONLY | O_CLOEXEC);
	must(fd >= 0 && pwrite(fd, block, sizeof block, 0) == sizeof block && close(fd) == 0, "open, pwrite, close");
}

static void do_rename(void)
{
	static int there;
	must(rename(there ? "there" : "here", there ? "here" : "there") == 0, "rename");
	there = !there;
}

static void do_spawn(void)
{
	static char *const environment[] = {NULL};
	char *const argv[] = {(char *)program, NULL};
	pid_t pid;
	int status;
	must(posix_spawn(&pid, program, NULL, NULL, argv, environment) == 0, "posix_spawn");
	must(waitpid(pid, &status, 0) == pid && status == 0, "waitpid");
}

/* One file that comes and goes: two events where it is watched. */
static void do_unlink_cycle(void)
{
	int fd = open("new", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	must(fd >= 0 && close(fd) == 0 && unlink("new") == 0, "create, close, unlink");
}

static const struct {
	const char *name;
	void (*act)(void);
	int batch; /* between looks at the clock */
} operations[] = {
	{"getppid", do_getppid, 1000},
	{"open ro + close", do_open_read, 100},
	{"open wo + close", do_open_write, 100},
	{"pread 512", do_pread, 100},
	{"pwrite 4 KiB", do_pwrite, 100},
	{"open, pwrite, close", do_write_cycle, 50},
	{"rename", do_rename, 50},
	{"create, close, unlink", do_unlink_cycle, 50},
	{"20 levels down: open wo + close", do_open_deep, 100},
	{"overlay: open wo + close", do_open_overlay, 100},
	{"overlay: pwrite 4 KiB", do_pwrite_overlay, 100},
	{"io_uring: write 4 KiB", do_ring_write, 100},
	{"spawn + wait", do_spawn, 5},
};

static long long run(int operation, long long duration)
{
	long long begin = now(), end, count = 0;
	do {
		for (int i = 0; i < operations[operation].batch; i++)
			operations[operation].act();
		count += operations[operation].batch;
		end = now();
	} while (end - begin < duration);
	return (end - begin) / count;
}

static int compare(const void *one, const void *other)
{
	const long long a = *(const long long *)one, b = *(const long long *)other;
	return (a > b) - (a < b);
}

static long long measure(int operation)
{
	long long each[windows];
	for (int i = 0; i < windows; i++)
		each[i] = run(operation, measured);
	qsort(each, windows, sizeof *each, compare);
	return each[windows / 2];
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	program = argv[2];
	must(chdir(argv[1]) == 0, argv[1]);
	handle = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	must(handle >= 0, "file");
	must(pwrite(handle, block, sizeof block, 0) == sizeof block, "pwrite");
	int here = open("here", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	must(here >= 0 && close(here) == 0, "here");
	unlink("there");
	prepare_deep();
	prepare_ring();
	merged = open("overlay/file", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		int wanted = argc == 3;
		for (int given = 3; given < argc; given++)
			wanted |= !strncmp(operations[i].name, argv[given], strlen(argv[given]));
		if (!wanted || (merged < 0 && !strncmp(operations[i].name, "overlay", 7)))
			continue;
		run((int)i, warm_up);
		printf("%s\t%lld\n", operations[i].name, measure((int)i));
		fflush(stdout);
	}
	return 0;
}
