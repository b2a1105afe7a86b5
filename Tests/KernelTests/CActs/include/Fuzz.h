/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random file operations by one process, with a log of what each did. The log knows nothing of the monitor: it is the oracle.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <sys/types.h>

enum acts_fuzz_operation {
	ACTS_FUZZ_CREATE,     /* open with O_CREAT | O_EXCL into a slot */
	ACTS_FUZZ_OPEN,       /* open what is there into a slot */
	ACTS_FUZZ_OPEN_TRUNCATE,
	ACTS_FUZZ_CLOSE,
	ACTS_FUZZ_WRITE,
	ACTS_FUZZ_ALLOCATE,
	ACTS_FUZZ_COPY,       /* copy_file_range; `other` is the slot read from */
	ACTS_FUZZ_MAP,        /* a store through a shared mapping of the slot's file */
	ACTS_FUZZ_TRUNCATE,   /* by path */
	ACTS_FUZZ_TRUNCATE_HANDLE,
	ACTS_FUZZ_LINK,
	ACTS_FUZZ_UNLINK,
	ACTS_FUZZ_MKDIR,
	ACTS_FUZZ_RMDIR,
	ACTS_FUZZ_SYMLINK,
	ACTS_FUZZ_RENAME,
	ACTS_FUZZ_EXCHANGE,
	ACTS_FUZZ_CHMOD,
	ACTS_FUZZ_CHOWN,
	ACTS_FUZZ_UTIMES,
	ACTS_FUZZ_SETXATTR,
	ACTS_FUZZ_REMOVEXATTR,
	ACTS_FUZZ_OPERATIONS,
};

enum { ACTS_FUZZ_SLOTS = 6, ACTS_FUZZ_PATH = 24 };

struct acts_fuzz_entry {
	uint64_t begin, end;  /* CLOCK_BOOTTIME, ns */
	uint64_t inode;       /* of the object, where the operation succeeded and left one */
	int64_t size;         /* of the object after it */
	int64_t value;        /* by operation: mode, owner, bytes copied */
	uint8_t operation;    /* enum acts_fuzz_operation */
	uint8_t error;        /* 0 or an errno */
	uint8_t slot, other;
	uint32_t before;      /* done before the monitor started */
	char path[ACTS_FUZZ_PATH]; /* relative to the folder: w/... is watched, u/... is not */
	char target[ACTS_FUZZ_PATH];
};

/* A run: a folder with `w` and `u` in it, how many operations are tried, and the log. */
struct acts_fuzz;

/* The first `before` operations are done when it returns. NULL where that can't be (errno). */
struct acts_fuzz *acts_fuzz_start(const char *folder, uint64_t seed, uint32_t operations, uint32_t before);

/* Do the rest: 0 or a negative errno. */
int acts_fuzz_finish(struct acts_fuzz *fuzz);

pid_t acts_fuzz_pid(const struct acts_fuzz *fuzz);
const struct acts_fuzz_entry *acts_fuzz_log(const struct acts_fuzz *fuzz, uint32_t *count);
void acts_fuzz_free(struct acts_fuzz *fuzz);

#endif
