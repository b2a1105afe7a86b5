#ifndef HV_ROOTS_H
#define HV_ROOTS_H

#include "paths.h"

/* A descriptor that stands for this very process, whatever becomes of its number (pidfd_open(2)); -1 with errno. */
int hv_open_process(int pid);

/* Whether the process of such a descriptor has not ended. */
int hv_process_lives(int process);

/* hv_name of what a descriptor stands for (O_PATH will do). 0, or the errno. */
int hv_name_of(int descriptor, struct hv_name *name);

/*
 * Opens a regular file for reading by a path that is taken as a process with this root directory takes it: neither `..` nor a link leads out
 * of it, no link of /proc is followed, and no mount below the root's own is entered. It waits for no writer, lease or device: nothing but a
 * regular file is opened at all. The descriptor, or -1 with errno (ENXIO: it is no regular file).
 */
int hv_open_in_root(int root, const char *path);

/* The same for the caller's own root, where mounts may be entered. */
int hv_open_regular(const char *path);

#endif
