#ifndef HV_OPENING_H
#define HV_OPENING_H

/*
 * Opening what others may have put there: no call here follows a symbolic link, reads a file
 * or waits for the file system of one, where nothing else is said.
 */

/*
 * openat2(2) with O_PATH of a path below a folder that is taken for the root; `root` -1: this process's own root. `cached`: only by
 * names that the kernel has at hand, so that nobody's file system is asked; EAGAIN where that is not enough, EINVAL where the kernel
 * can't (before 5.12).
 */
int hv_open_below(int root, const char *path, int cached);

/* f_type of the file system that a descriptor's file is on (fstatfs(2)); 0 where it does not tell. */
unsigned int hv_file_system(int descriptor);

/* Opens for reading what a descriptor of O_PATH leads to, without a change of its access time where that may be. */
int hv_open_again(int descriptor);

/* Pages that are read through this descriptor are not to push out others (POSIX_FADV_NOREUSE; from 6.3). */
void hv_read_once(int descriptor);

/* Whether another process holds a lock for writing on the file (fcntl(2), F_GETLK). */
int hv_is_locked(int descriptor);

/* The calling thread comes behind others, but comes: nice 10, idle I/O. Where refused, it stays as it was. */
void hv_be_behind(void);

/*
 * Runs a program with a pipe as its standard output, /dev/null for input and errors, no other descriptor, no signal blocked, and this
 * environment. Its pid, or a negative errno; the pipe's end to read goes to `output`.
 */
int hv_run(const char *path, char *const arguments[], char *const environment[], int *output);

#endif
