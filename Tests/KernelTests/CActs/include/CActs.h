/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts that Swift can't do: between fork and exec, raw system calls, floods.
 * Functions return 0 or a negative errno unless they say otherwise.
 */
#ifndef CACTS_H
#define CACTS_H

#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#include "Fuzz.h"
#include "Matrix.h"

enum acts_exec_way {
	ACTS_EXECVE,
	ACTS_EXECVEAT_FD, /* execveat(fd, "", AT_EMPTY_PATH), as fexecve does */
	ACTS_FROM_THREAD, /* execve by a thread that is not the leader */
	ACTS_INT80,       /* the 32-bit system call, from a 64-bit process */
};

struct acts_exec {
	const char *path;
	char *const *argv;
	const char *directory; /* chdir there first; NULL: stay */
	enum acts_exec_way way;
	int fd;
	int ids;           /* set the ids below first */
	uint32_t real, effective, saved;
	int out, error;    /* descriptors for standard output and error; -1: inherited */
	int traced;        /* ACTS_EXECVE: with SWIFT_BACKTRACE of this program's environment, else with an empty one */
};

/* Fork and exec. Returns the child's pid; where the exec fails, the child ends with its errno as exit code. */
pid_t acts_start(const struct acts_exec *exec);

/* Wait for a child: the status as wait(2) has it, or a negative errno. */
int acts_wait(pid_t pid);

/* The caller, and what it starts, runs on this CPU from now on; below 0: on all. */
void acts_run_on(int cpu);

/* posix_spawn `count` processes of `path`, at most `parallel` at a time; their pids go to `pids`. */
int acts_spawn_many(const char *path, uint32_t count, uint32_t parallel, pid_t *pids);

/* A process of a storm: its number, the index of who forked it (all ones: the storm's own root), and times around its start (CLOCK_BOOTTIME, ns). */
struct acts_storm_entry {
	uint32_t pid, parent;
	uint64_t before, after;
};

/*
 * `chains` chains of `generations` processes, each forked by the one before and doing nothing else; half of them end
 * before their child. Blocks until all have ended. The log of all of them, chain after chain (`before` of 0: could
 * not be forked); NULL where there is none (errno).
 */
struct acts_storm_entry *acts_storm(uint32_t chains, uint32_t generations, uint32_t parallel);
void acts_storm_free(struct acts_storm_entry *log, uint32_t chains, uint32_t generations);

/* A memfd with the bytes of a file, ready to be executed: a descriptor, or a negative errno. */
int acts_memfd_of(const char *path);

/*
 * Start processes (at most 256) that each create, rename and delete a file in `directory`, over and over, until
 * acts_flood_end and at least `least` times. NULL where that can't be (errno).
 */
struct acts_flood;
struct acts_flood *acts_flood_start(const char *directory, uint32_t processes, uint32_t least);

/* Stop them: the number of changes they made, three a round and the writes, or a negative errno of theirs. */
int64_t acts_flood_end(struct acts_flood *flood);

/*
 * The same with `writes` writes each round between create and close: `writes` + 3 changes, and 5 events, which are
 * create, the first write, the totals, rename and delete.
 */
struct acts_flood *acts_flood_writes(const char *directory, uint32_t processes, uint32_t writes);

/* What a flood left in the output of a monitor: lines of what lies in `folder`. */
struct acts_tally {
	uint64_t created, renamed, deleted, first, totals; /* events */
	uint64_t operations; /* sum of the totals */
	uint64_t odd;        /* totals whose operations are not `writes` */
	char *others;        /* all other lines, to be freed */
	size_t others_size;
};

/* 0 or a negative errno; -EBADMSG: a line of the folder that is none of these. */
int acts_tally(const char *path, const char *folder, uint32_t writes, struct acts_tally *tally);

int acts_init_module(const void *image, size_t size, const char *arguments);
int acts_finit_module(int fd, const char *arguments);
int acts_delete_module(const char *name);

/* finit_module in a child that gave up CAP_SYS_MODULE: the child's pid; its exit code is the errno. */
pid_t acts_finit_module_unprivileged(int fd);

/* A loaded BPF program. */
struct acts_program {
	uint32_t id, type;
	char name[16];
};

/* The BPF programs of the whole machine, at most `capacity`: their number, or a negative errno. */
int acts_bpf_programs(struct acts_program *programs, uint32_t capacity);

/* Parts of a device number; the names are macros. */
static inline unsigned acts_major(dev_t device) { return major(device); }
static inline unsigned acts_minor(dev_t device) { return minor(device); }

/* Whether the needle is among the bytes. */
int acts_contains(const void *bytes, size_t size, const void *needle, size_t needle_size);

/* Standard output by the line also where it is a pipe. */
void acts_line_buffer(void);

#endif
