/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

struct acts_fuzz {
	uint32_t operations, before; /* how many are tried under watch, and before */
	uint32_t capacity;
	uint32_t count;
	uint32_t started; /* the monitor is there */
	int go, directory;
	pid_t pid;
	uint64_t random;
	int slots[ACTS_FUZZ_SLOTS];
	struct acts_fuzz_entry entries[];
};

/* xorshift64* */
static uint32_t roll(struct acts_fuzz *fuzz, uint32_t sides)
{
	fuzz->random ^= fuzz->random >> 12;
	fuzz->random ^= fuzz->random << 25;
	fuzz->random ^= fuzz->random >> 27;
	return (uint32_t)((fuzz->random * 2685821657736338717ULL) >> 33) % sides;
}

/* Names are few, so that operations meet. */
static void choose_path(struct acts_fuzz *fuzz, char *path, int directory)
{
	static const char *const parents[] = {"", "", "a/", "a/", "b/", "a/c/", "b/a/", "c/"};
	const char *root = roll(fuzz, 5) < 3 ? "w" : "u", *parent = parents[roll(fuzz, 8)];
	if (directory)
		snprintf(path, ACTS_FUZZ_PATH, "%s/%s%c", root, parent, 'a' + (char)roll(fuzz, 3));
	else
		snprintf(path, ACTS_FUZZ_PATH, "%s/%sf%u", root, parent, roll(fuzz, 5));
}

static uint64_t boot_time(void)
{
	struct timespec time;
	clock_gettime(CLOCK_BOOTTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Weights; the operations of a slot need one that is open, or free. */
static const uint8_t weights[ACTS_FUZZ_OPERATIONS] = {
	[ACTS_FUZZ_CREATE] = 14, [ACTS_FUZZ_OPEN] = 8, [ACTS_FUZZ_OPEN_TRUNCATE] = 3, [ACTS_FUZZ_CLOSE] = 12, [ACTS_FUZZ_WRITE] = 16,
	[ACTS_FUZZ_ALLOCATE] = 2, [ACTS_FUZZ_COPY] = 2, [ACTS_FUZZ_MAP] = 3, [ACTS_FUZZ_TRUNCATE] = 3, [ACTS_FUZZ_TRUNCATE_HANDLE] = 2,
	[ACTS_FUZZ_LINK] = 4, [ACTS_FUZZ_UNLINK] = 8, [ACTS_FUZZ_MKDIR] = 9, [ACTS_FUZZ_RMDIR] = 3, [ACTS_FUZZ_SYMLINK] = 2,
	[ACTS_FUZZ_RENAME] = 10, [ACTS_FUZZ_EXCHANGE] = 4, [ACTS_FUZZ_CHMOD] = 4, [ACTS_FUZZ_CHOWN] = 3, [ACTS_FUZZ_UTIMES] = 3,
	[ACTS_FUZZ_SETXATTR] = 3, [ACTS_FUZZ_REMOVEXATTR] = 2,
};

static int choose_operation(struct acts_fuzz *fuzz)
{
	uint32_t sum = 0;
	for (int i = 0; i < ACTS_FUZZ_OPERATIONS; i++)
		sum += weights[i];
	uint32_t left = roll(fuzz, sum);
	for (int i = 0;; i++) {
		if (left < weights[i])
			return i;
		left -= weights[i];
	}
}

static int map_store(struct acts_fuzz *fuzz, int fd)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -1;
	if (status.st_size == 0) {
		errno = ENODATA;
		return -1;
	}
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -1;
	memory[0] = (char)('a' + roll(fuzz, 26));
	return munmap(memory, 4096);
}

/* What is asked for is chosen before the clock is read: the time between is the operation's alone. */
static int perform(struct acts_fuzz *fuzz, struct acts_fuzz_entry *entry)
{
	static const char bytes[100] = "0123456789";
	static const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000001}};
	int *slot = &fuzz->slots[entry->slot], at = fuzz->directory, result;
	const char *path = entry->path, *target = entry->target;
	char way[4200];
	uint32_t size = roll(fuzz, 100) + 1, offset = roll(fuzz, 3000);
	snprintf(way, sizeof way, "/proc/self/fd/%d/%s", at, path);
	entry->begin = boot_time();
	switch (entry->operation) {
	case ACTS_FUZZ_CREATE: result = *slot = openat(at, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644); break;
	case ACTS_FUZZ_OPEN: result = *slot = openat(at, path, O_RDWR | O_CLOEXEC); break;
	case ACTS_FUZZ_OPEN_TRUNCATE: result = *slot = openat(at, path, O_RDWR | O_TRUNC | O_CLOEXEC); break;
	case ACTS_FUZZ_CLOSE: result = close(*slot); *slot = -1; break;
	case ACTS_FUZZ_WRITE: result = (int)pwrite(*slot, bytes, size, offset); break;
	case ACTS_FUZZ_ALLOCATE: result = fallocate(*slot, size & 1 ? FALLOC_FL_KEEP_SIZE : 0, offset, 4096); break;
	case ACTS_FUZZ_COPY: {
		off64_t in = 0, out = offset;
		result = (int)copy_file_range(fuzz->slots[entry->other], &in, *slot, &out, size, 0);
		entry->value = result;
		break;
	}
	case ACTS_FUZZ_MAP: result = map_store(fuzz, *slot); break;
	case ACTS_FUZZ_TRUNCATE: result = truncate(way, offset); break;
	case ACTS_FUZZ_TRUNCATE_HANDLE: result = ftruncate(*slot, offset); break;
	case ACTS_FUZZ_LINK: result = linkat(at, path, at, target, 0); break;
	case ACTS_FUZZ_UNLINK: result = unlinkat(at, path, 0); break;
	case ACTS_FUZZ_MKDIR: result = mkdirat(at, path, 0755); break;
	case ACTS_FUZZ_RMDIR: result = unlinkat(at, path, AT_REMOVEDIR); break;
	case ACTS_FUZZ_SYMLINK: result = symlinkat("nowhere", at, path); break;
	case ACTS_FUZZ_RENAME: result = renameat(at, path, at, target); break;
	case ACTS_FUZZ_EXCHANGE: result = renameat2(at, path, at, target, RENAME_EXCHANGE); break;
	case ACTS_FUZZ_CHMOD: entry->value = 0600 | size; result = fchmodat(at, path, (mode_t)entry->value, 0); break;
	case ACTS_FUZZ_CHOWN: entry->value = offset; result = fchownat(at, path, offset, (gid_t)-1, 0); break;
	case ACTS_FUZZ_UTIMES: result = utimensat(at, path, times, 0); break;
	case ACTS_FUZZ_SETXATTR: result = setxattr(way, "security.hypervigil", bytes, size, 0); break;
	default: result = removexattr(way, "security.hypervigil"); break;
	}
	entry->error = result < 0 ? (uint8_t)errno : 0;
	entry->end = boot_time();
	return result;
}

/* Chooses and does one operation, where there is a slot for it. */
static void step(struct acts_fuzz *fuzz, int operation)
{
	struct acts_fuzz_entry *entry = &fuzz->entries[fuzz->count];
	struct stat status;
	int held, renames = operation == ACTS_FUZZ_RENAME || operation == ACTS_FUZZ_EXCHANGE;
	memset(entry, 0, sizeof *entry);
	entry->operation = (uint8_t)operation;
	entry->slot = (uint8_t)roll(fuzz, ACTS_FUZZ_SLOTS);
	entry->other = (uint8_t)roll(fuzz, ACTS_FUZZ_SLOTS);
	held = fuzz->slots[entry->slot] >= 0;
	switch (operation) {
	case ACTS_FUZZ_CREATE:
	case ACTS_FUZZ_OPEN:
	case ACTS_FUZZ_OPEN_TRUNCATE:
		if (held)
			return;
		break;
	case ACTS_FUZZ_COPY:
		if (fuzz->slots[entry->other] < 0)
			return;
		/* fallthrough */
	case ACTS_FUZZ_CLOSE:
	case ACTS_FUZZ_WRITE:
	case ACTS_FUZZ_ALLOCATE:
	case ACTS_FUZZ_MAP:
	case ACTS_FUZZ_TRUNCATE_HANDLE:
		if (!held)
			return;
		break;
	default: break;
	}
	int of_slot = operation >= ACTS_FUZZ_CLOSE && operation <= ACTS_FUZZ_MAP;
	if (!of_slot && operation != ACTS_FUZZ_TRUNCATE_HANDLE) {
		int attribute = operation >= ACTS_FUZZ_CHMOD;
		int directory = operation == ACTS_FUZZ_MKDIR || operation == ACTS_FUZZ_RMDIR || ((renames || attribute) && roll(fuzz, 3) == 0);
		choose_path(fuzz, entry->path, directory);
		if (operation == ACTS_FUZZ_LINK || renames)
			choose_path(fuzz, entry->target, directory);
	}
	int result = perform(fuzz, entry);
	entry->before = !fuzz->started;
	fuzz->count++;
	if (result < 0)
		return;
	int known = fuzz->slots[entry->slot] >= 0 && entry->path[0] == 0 ? fstat(fuzz->slots[entry->slot], &status)
		: fstatat(fuzz->directory, operation == ACTS_FUZZ_LINK || renames ? entry->target : entry->path, &status, AT_SYMLINK_NOFOLLOW);
	if (known == 0) {
		entry->inode = status.st_ino;
		entry->size = status.st_size;
	}
}

static void play(struct acts_fuzz *fuzz, uint32_t operations)
{
	for (uint32_t end = fuzz->count + operations; fuzz->count < end;) {
		step(fuzz, choose_operation(fuzz));
		/* The pace of a busy program, not of a flood. */
		if (fuzz->count % 32 == 0)
			usleep(1000);
	}
}

static void run(struct acts_fuzz *fuzz, int go, int done)
{
	char byte = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	play(fuzz, fuzz->before);
	if (write(done, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		return;
	fuzz->started = 1;
	play(fuzz, fuzz->operations);
	for (int i = 0; i < ACTS_FUZZ_SLOTS; i++) {
		struct acts_fuzz_entry *entry = &fuzz->entries[fuzz->count];
		if (fuzz->slots[i] < 0)
			continue;
		memset(entry, 0, sizeof *entry);
		entry->operation = ACTS_FUZZ_CLOSE;
		entry->slot = (uint8_t)i;
		perform(fuzz, entry);
		fuzz->count++;
	}
	_exit(0);
}

static size_t bytes_of(uint32_t capacity)
{
	return sizeof(struct acts_fuzz) + capacity * sizeof(struct acts_fuzz_entry);
}

struct acts_fuzz *acts_fuzz_start(const char *folder, uint64_t seed, uint32_t operations, uint32_t before)
{
	uint32_t capacity = operations + before + ACTS_FUZZ_SLOTS;
	int go[2], done[2];
	char byte;
	struct acts_fuzz *fuzz = mmap(NULL, bytes_of(capacity), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuzz == MAP_FAILED || pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		return NULL;
	fuzz->capacity = capacity;
	fuzz->operations = operations;
	fuzz->before = before;
	fuzz->random = seed | 1;
	for (int i = 0; i < ACTS_FUZZ_SLOTS; i++)
		fuzz->slots[i] = -1;
	fuzz->directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fuzz->directory < 0)
		return NULL;
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		close(done[0]);
		run(fuzz, go[0], done[1]);
		_exit(1);
	}
	close(fuzz->directory);
	close(go[0]);
	close(done[1]);
	if (pid < 0)
		return NULL;
	fuzz->pid = pid;
	ssize_t ready = read(done[0], &byte, 1);
	close(done[0]);
	fuzz->go = go[1];
	return ready == 1 ? fuzz : NULL;
}

int acts_fuzz_finish(struct acts_fuzz *fuzz)
{
	char byte = 0;
	ssize_t told = write(fuzz->go, &byte, 1);
	close(fuzz->go);
	int status = acts_wait(fuzz->pid);
	return told == 1 && status == 0 ? 0 : status < 0 ? status : -ECHILD;
}

pid_t acts_fuzz_pid(const struct acts_fuzz *fuzz)
{
	return fuzz->pid;
}

const struct acts_fuzz_entry *acts_fuzz_log(const struct acts_fuzz *fuzz, uint32_t *count)
{
	*count = fuzz->count;
	return fuzz->entries;
}

void acts_fuzz_free(struct acts_fuzz *fuzz)
{
	munmap(fuzz, bytes_of(fuzz->capacity));
}
