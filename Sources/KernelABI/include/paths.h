#ifndef HV_PATHS_H
#define HV_PATHS_H

#include <linux/types.h>

/* What statx(2) tells of a name, links not followed and nothing mounted for it. */
struct hv_name {
	__u64 inode;
	__u64 born;      /* birth time, ns since 1970; 0: the file system has none */
	__u64 mount;     /* id, as in mountinfo; 0: the kernel does not tell (before 5.8) */
	__u32 device;    /* st_dev as major << 20 | minor */
	__u32 mode;
	__u32 links;
	__u32 mount_root; /* not 0: the root of a mount */
};

/* 0, or the errno. */
int hv_name(const char *path, struct hv_name *name);

/* The calling thread yields to everything else: nice 19, SCHED_IDLE, idle I/O. Where refused, it stays as it was. */
void hv_be_idle(void);

/* Runs `body` with `context` in a thread of its own that nobody joins. 0, or the errno. */
int hv_detached_thread(void (*body)(void *), void *context);

/* Gives memory that is free back to the system. */
void hv_release_memory(void);

#endif
