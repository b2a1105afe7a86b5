#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "KernelABI.h"

int hv_open_path(const char *path)
{
	return open(path, O_PATH | O_CLOEXEC);
}

int hv_open_unpinned(const char *path)
{
	int descriptor = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT);

	return descriptor < 0 ? hv_open_path(path) : descriptor;
}

int hv_set_flags_again(int descriptor)
{
	int flags;

	if (ioctl(descriptor, FS_IOC_GETFLAGS, &flags))
		return -1;
	return ioctl(descriptor, FS_IOC_SETFLAGS, &flags);
}

int hv_set_attribute(int descriptor)
{
	return fsetxattr(descriptor, "trusted.hypervigil", "canary", 6, 0);
}

int hv_refused_module_load(void)
{
	return syscall(SYS_finit_module, -1, "", 0) < 0 ? errno : 0;
}

void hv_share_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	/* Large blocks go back to the kernel when they are freed. Left alone, the threshold rises to the largest that ever was. */
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

void hv_trim_memory(void)
{
	malloc_trim(0);
}

static int release_segments(struct dl_phdr_info *image, size_t size, void *unused)
{
	const uintptr_t page = 4096; /* or a part of a page: then the call fails, and nothing is released */

	(void)size;
	(void)unused;
	for (int at = 0; at < image->dlpi_phnum; at++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[at];
		uintptr_t start = image->dlpi_addr + segment->p_vaddr;

		/* What is writable, or was until it was relocated, is not in the file as it is in memory. */
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			madvise((void *)(start & ~(page - 1)), (start & (page - 1)) + segment->p_filesz, MADV_DONTNEED);
	}
	return 0;
}

void hv_release_image(void)
{
	dl_iterate_phdr(release_segments, NULL);
}

int hv_unshare_nothing(void)
{
	return unshare(0);
}

void hv_name_thread(const char *name)
{
	char cut[16] = { 0 };

	for (int at = 0; at < 15 && name[at]; at++)
		cut[at] = name[at];
	pthread_setname_np(pthread_self(), cut);
}

int hv_kernel_log(char *to, int size)
{
	return to ? klogctl(3, to, size) : klogctl(10, NULL, 0); /* SYSLOG_ACTION_READ_ALL, SIZE_BUFFER (kernel/printk/printk.c) */
}

unsigned int hv_device(unsigned long long st_dev)
{
	return major(st_dev) << 20 | minor(st_dev);
}

int hv_signal_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int hv_waiter(const int *rings, int count, int signals)
{
	int waiter = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = signals };

	if (waiter < 0 || epoll_ctl(waiter, EPOLL_CTL_ADD, signals, &event))
		return -1;
	for (int ring = 0; ring < count; ring++) {
		event = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.fd = rings[ring] };
		if (epoll_ctl(waiter, EPOLL_CTL_ADD, rings[ring], &event))
			return -1;
	}
	return waiter;
}

int hv_wait(int waiter, int signals, int milliseconds)
{
	struct epoll_event events[16];
	int count = epoll_wait(waiter, events, 16, milliseconds);

	for (int at = 0; at < count; at++)
		if (events[at].data.fd == signals)
			return 1;
	return 0;
}
