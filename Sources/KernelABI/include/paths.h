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

/*
 * openat2(2) for reading below `folder`, never waiting for a FIFO's other end: the descriptor, or -1 with errno. Symbolic links stay
 * inside (RESOLVE_IN_ROOT); with `strict` there may be none at all, nor a mount on the way (RESOLVE_BENEATH).
 */
int hv_open_inside(int folder, const char *path, int strict);

/* The number of the control group whose folder this is, as cgroup_id() of the kernel has it (name_to_handle_at(2)); 0: not known. */
__u64 hv_cgroup_id(int folder);

#endif
