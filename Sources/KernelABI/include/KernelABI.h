#ifndef HV_KERNEL_ABI_H
#define HV_KERNEL_ABI_H

#include <stddef.h>
#include "../../../bpf/record.h"
#include "find.h"
#include "flags.h"
#include "layout.h"
#include "paths.h"
#include "roots.h"
#include "opening.h"

enum hv_family { HV_FAMILY_EXEC, HV_FAMILY_FILE, HV_FAMILY_MODULE, HV_FAMILIES };

/*
 * The prebuilt BPF object of a family for this machine's architecture (an ELF file,
 * bpf/prebuilt), or NULL for a family there is none of. `fetching`: the build that
 * uses fetching atomics (kernels from 5.12). The bytes live as long as the program.
 */
const void *hv_object(enum hv_family family, int fetching, size_t *size);

/* open(2) with O_PATH | O_CLOEXEC, which need _GNU_SOURCE: the descriptor, or -1 with errno. */
int hv_open_path(const char *path);

/* The same through a copy of the mount (open_tree(2), needs CAP_SYS_ADMIN), where it can be had: the mount itself can be unmounted meanwhile. */
int hv_open_unpinned(const char *path);

/* Sets the flags (FS_IOC_SETFLAGS) that the file has: the call is made, and nothing changes. Below 0 where the file system has none. */
int hv_set_flags_again(int descriptor);

/* Gives the file an extended attribute that only root sees. */
int hv_set_attribute(int descriptor);

/* finit_module(2) with a descriptor that is none: EBADF, before anything is done. Returns the errno. */
int hv_refused_module_load(void);

/* Threads that are to come take their memory from where the first one does: what each of them once needed is not kept for it alone. */
void hv_share_memory(void);

/* Gives what malloc keeps unused back to the kernel. */
void hv_trim_memory(void);

/* Lets go of the program's own pages and its libraries' (dl_iterate_phdr(3)), as far as they lie in files unchanged: what is still needed comes back. */
void hv_release_image(void);

/* unshare(2) of nothing: an act for the canary. 0, or -1 with errno. */
int hv_unshare_nothing(void);

/* Names the calling thread by the first 15 bytes. */
void hv_name_thread(const char *name);

/* The last `size` bytes of the kernel's log; with NULL, how many there may be. Returns the count, or -1 with errno. */
int hv_kernel_log(char *to, int size);

/* st_dev as the kernel's s_dev has it: major << 20 | minor. */
unsigned int hv_device(unsigned long long st_dev);

/* Blocks SIGINT and SIGTERM in this thread: a descriptor that is readable when one has come, or -1 with errno. */
int hv_signal_descriptor(void);

/*
 * An epoll descriptor over `rings`, edge-triggered so that what waits in a ring for its turn does not
 * wake again and again, and `signals`; -1 with errno.
 */
int hv_waiter(const int *rings, int count, int signals);

/* Sleeps until a ring wakes it, a signal comes or the milliseconds are over. 1: a signal has come; else 0. */
int hv_wait(int waiter, int signals, int milliseconds);

/* Tells the processor that this memory is about to be read. A hint: any address will do. */
static inline void hv_prefetch(const void *address)
{
	__builtin_prefetch(address);
}

#endif
