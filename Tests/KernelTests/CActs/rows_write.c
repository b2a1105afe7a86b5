/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of write through a handle. */
#include "rows.h"

#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

/* A write that opens `file` for itself: the handle is `fd`. */
#define WITH_FILE(flags, step) \
	do { \
		int fd; \
		TRY(fd = open("file", (flags) | O_CLOEXEC)); \
		step; \
		TRY(close(fd)); \
		return 0; \
	} while (0)

static int write_once(struct acts_scene *scene) { WITH_FILE(O_WRONLY, TRY(write(fd, "abcde", 5))); }

static int write_many(struct acts_scene *scene)
{
	WITH_FILE(O_WRONLY, for (int i = 0; i < 100; i++) TRY(write(fd, "abcde", 5)));
}

static int write_vector(struct acts_scene *scene)
{
	struct iovec parts[2] = {{"abc", 3}, {"defgh", 5}};
	WITH_FILE(O_WRONLY, TRY(writev(fd, parts, 2)));
}

static int write_at(struct acts_scene *scene) { WITH_FILE(O_WRONLY, TRY(pwrite(fd, "abcde", 5, 20))); }

static int write_at_2(struct acts_scene *scene)
{
	struct iovec part = {"abcde", 5};
	WITH_FILE(O_WRONLY, WANT(pwritev2(fd, &part, 1, 2, RWF_DSYNC)));
}

static int write_append(struct acts_scene *scene) { WITH_FILE(O_WRONLY | O_APPEND, TRY(write(fd, "abcde", 5))); }

#ifdef __x86_64__
static int call_32(int number, uint32_t first, uint32_t second, uint32_t third)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}

/* open, write, close and unlink by their 32-bit calls, from a 64-bit process. */
static int write_32(struct acts_scene *scene)
{
	enum { READ_WRITE = 2, OPEN = 5, WRITE = 4, CLOSE = 6, UNLINK = 10 };
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd;
	if (low == MAP_FAILED)
		return acts_failed(scene, "mmap", errno, 1);
	strcpy(low, "file");
	uint32_t name = (uint32_t)(uintptr_t)low;
	WANT(fd = call_32(OPEN, name, READ_WRITE, 0));
	TRY(call_32(WRITE, (uint32_t)fd, name, 4));
	TRY(call_32(CLOSE, (uint32_t)fd, 0, 0));
	TRY(call_32(UNLINK, name, 0, 0));
	return 0;
}
#else
static int write_32(struct acts_scene *scene) { return acts_failed(scene, "int $0x80", ENOSYS, 1); }
#endif

static int aio(struct acts_scene *scene, int fd)
{
	aio_context_t context = 0;
	struct iocb request = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)fd, .aio_nbytes = 5, .aio_offset = 10};
	struct iocb *requests[1] = {&request};
	struct io_event event;
	request.aio_buf = (uint64_t)(uintptr_t)"abcde";
	WANT(syscall(SYS_io_setup, 4, &context));
	TRY(syscall(SYS_io_submit, context, 1, requests));
	TRY(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	if (event.res != 5)
		return acts_failed(scene, "aio write", (int)-event.res, 0);
	TRY(syscall(SYS_io_destroy, context));
	return 0;
}

static int write_aio(struct acts_scene *scene) { WITH_FILE(O_WRONLY, if (aio(scene, fd) < 0) return -1); }

enum { FIXED = 1, ASYNC = 2 };

/* One write of 5 bytes through a ring. */
static int ring_write(struct acts_scene *scene, int fd, unsigned setup, int how)
{
	struct io_uring_params parameters = {.flags = setup, .sq_thread_idle = 200};
	int ring;
	WANT(ring = (int)syscall(SYS_io_uring_setup, 4, &parameters));
	size_t sq_size = parameters.sq_off.array + parameters.sq_entries * sizeof(uint32_t);
	size_t cq_size = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
	char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *entry = mmap(NULL, parameters.sq_entries * sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)entry == MAP_FAILED)
		return acts_failed(scene, "mmap of the ring", errno, 0);
	if (how & FIXED)
		TRY(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1));
	memset(entry, 0, sizeof *entry);
	entry->opcode = IORING_OP_WRITE;
	entry->flags = (uint8_t)((how & FIXED ? IOSQE_FIXED_FILE : 0) | (how & ASYNC ? IOSQE_ASYNC : 0));
	entry->fd = how & FIXED ? 0 : fd;
	entry->off = 10;
	entry->addr = (uint64_t)(uintptr_t)"abcde";
	entry->len = 5;
	((uint32_t *)(sq + parameters.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(sq + parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
	unsigned flags = IORING_ENTER_GETEVENTS | (setup & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
	TRY(syscall(SYS_io_uring_enter, ring, 1, 1, flags, NULL, 0));
	uint32_t head = *(uint32_t *)(cq + parameters.cq_off.head) & *(uint32_t *)(cq + parameters.cq_off.ring_mask);
	int result = ((struct io_uring_cqe *)(cq + parameters.cq_off.cqes))[head].res;
	if (result != 5)
		return acts_failed(scene, "write through the ring", -result, 0);
	munmap(sq, sq_size);
	munmap(cq, cq_size);
	munmap(entry, parameters.sq_entries * sizeof *entry);
	close(ring);
	return 0;
}

#define RING(setup, how) WITH_FILE(O_WRONLY, if (ring_write(scene, fd, setup, how) < 0) return -1)
static int uring(struct acts_scene *scene) { RING(0, 0); }
static int uring_fixed(struct acts_scene *scene) { RING(0, FIXED); }
static int uring_worker(struct acts_scene *scene) { RING(0, ASYNC); }
static int uring_poll(struct acts_scene *scene) { RING(IORING_SETUP_SQPOLL, FIXED); }

/* `file`, and `source` beside the watch; both of 12,288 bytes, whole blocks. */
static int prepare_copy(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, outside(scene, "source"), 12288));
	return prepare_large(scene);
}

#define WITH_SOURCE(step) \
	do { \
		int source; \
		TRY(source = open(outside(scene, "source"), O_RDONLY | O_CLOEXEC)); \
		WITH_FILE(O_WRONLY, step); \
	} while (0)

static int send_file(struct acts_scene *scene) { WITH_SOURCE(TRY(sendfile(fd, source, NULL, 4096))); }
static int copy_range(struct acts_scene *scene) { WITH_SOURCE(WANT(copy_file_range(source, NULL, fd, NULL, 4096, 0))); }
static int clone_file(struct acts_scene *scene) { WITH_SOURCE(WANT(ioctl(fd, FICLONE, source))); }

static int clone_range(struct acts_scene *scene)
{
	struct file_clone_range range = {.src_length = 4096, .dest_offset = 4096};
	WITH_SOURCE(range.src_fd = source; WANT(ioctl(fd, FICLONERANGE, &range)));
}

static int splice_pipe(struct acts_scene *scene)
{
	int ends[2];
	TRY(pipe2(ends, O_CLOEXEC));
	TRY(write(ends[1], "abcde", 5));
	WITH_FILE(O_WRONLY, TRY(splice(ends[0], NULL, fd, NULL, 5, 0)));
}

static int splice_tee(struct acts_scene *scene)
{
	int first[2], second[2];
	TRY(pipe2(first, O_CLOEXEC));
	TRY(pipe2(second, O_CLOEXEC));
	TRY(write(first[1], "abcde", 5));
	TRY(tee(first[0], second[1], 5, 0));
	WITH_FILE(O_WRONLY, TRY(splice(second[0], NULL, fd, NULL, 5, 0)));
}

static int open_truncate(struct acts_scene *scene) { WITH_FILE(O_WRONLY | O_TRUNC, (void)0); }
static int truncate_path(struct acts_scene *scene) { TRY(truncate("file", 5)); return 0; }
static int truncate_handle(struct acts_scene *scene) { WITH_FILE(O_WRONLY, TRY(ftruncate(fd, 20))); }

static int allocate_extend(struct acts_scene *scene) { WITH_FILE(O_WRONLY, WANT(fallocate(fd, 0, 0, 20000))); }

static int allocate_punch(struct acts_scene *scene)
{
	WITH_FILE(O_WRONLY, WANT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096)));
}

static int allocate_collapse(struct acts_scene *scene) { WITH_FILE(O_WRONLY, WANT(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096))); }
static int allocate_zero(struct acts_scene *scene) { WITH_FILE(O_WRONLY, WANT(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096))); }

/* Stores to the second page of `file` through a shared mapping that outlives the handle. */
static int map_and_store(struct acts_scene *scene, int protection, int look_first)
{
	int fd;
	TRY(fd = open("file", O_RDWR | O_CLOEXEC));
	volatile char *memory = mmap(NULL, 12288, protection, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return acts_failed(scene, "mmap", errno, 0);
	TRY(close(fd));
	if (look_first)
		scene->notes[0] = (uint64_t)memory[4096];
	if (!(protection & PROT_WRITE))
		TRY(mprotect((void *)memory, 12288, PROT_READ | PROT_WRITE));
	memory[4096] = 'x';
	memory[4097] = 'y';
	TRY(munmap((void *)memory, 12288));
	return 0;
}

static int map_store(struct acts_scene *scene) { return map_and_store(scene, PROT_READ | PROT_WRITE, 0); }
static int map_look_store(struct acts_scene *scene) { return map_and_store(scene, PROT_READ | PROT_WRITE, 1); }
static int map_protect(struct acts_scene *scene) { return map_and_store(scene, PROT_READ, 0); }

const struct acts_row rows_write[] = {
	{"write", prepare_file, write_once},
	{"write-many", prepare_file, write_many},
	{"writev", prepare_file, write_vector},
	{"pwrite", prepare_file, write_at},
	{"int80", prepare_file, write_32},
	{"pwritev2", prepare_file, write_at_2},
	{"append", prepare_file, write_append},
	{"aio", prepare_file, write_aio},
	{"io_uring", prepare_file, uring},
	{"io_uring-fixed", prepare_file, uring_fixed},
	{"io_uring-worker", prepare_file, uring_worker},
	{"io_uring-sqpoll", prepare_file, uring_poll},
	{"sendfile", prepare_copy, send_file},
	{"splice", prepare_file, splice_pipe},
	{"tee-splice", prepare_file, splice_tee},
	{"copy_file_range", prepare_copy, copy_range},
	{"ficlone", prepare_copy, clone_file},
	{"ficlonerange", prepare_copy, clone_range},
	{"open-truncate", prepare_file, open_truncate},
	{"truncate", prepare_file, truncate_path},
	{"ftruncate", prepare_file, truncate_handle},
	{"fallocate-extend", prepare_large, allocate_extend},
	{"fallocate-punch", prepare_large, allocate_punch},
	{"fallocate-collapse", prepare_large, allocate_collapse},
	{"fallocate-zero", prepare_large, allocate_zero},
	{"mmap-store", prepare_large, map_store},
	{"mmap-look-store", prepare_large, map_look_store},
	{"mprotect-store", prepare_large, map_protect},
	{NULL, NULL, NULL},
};
