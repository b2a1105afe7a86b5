/* SPDX-License-Identifier: Apache-2.0 */
/* Handles that the writer did not open, or not now; and what must be silent. */
#include "rows.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/xattr.h>

static int handle = -1;

static int open_handle(struct acts_scene *scene)
{
	TRY(handle = open("file", O_WRONLY | O_APPEND));
	return 0;
}

static int write_handle(struct acts_scene *scene)
{
	TRY(write(handle, "abcde", 5));
	return 0;
}

static int prepare_open(struct acts_scene *scene)
{
	return prepare_file(scene) < 0 || open_handle(scene) < 0 ? -1 : 0;
}

static int older(struct acts_scene *scene)
{
	if (write_handle(scene) < 0)
		return -1;
	TRY(close(handle));
	return 0;
}

static int inherited(struct acts_scene *scene)
{
	if ((handle < 0 && open_handle(scene) < 0) || write_handle(scene) < 0 || acts_in_child(scene, 1, write_handle) < 0)
		return -1;
	TRY(close(handle));
	return 0;
}

static int pair[2];

static int prepare_pair(struct acts_scene *scene)
{
	TRY(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	return prepare_file(scene);
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int receive(struct acts_scene *scene)
{
	char byte;
	union control control;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	close(pair[0]);
	TRY(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS)
		return acts_failed(scene, "no handle came", EBADMSG, 0);
	memcpy(&handle, CMSG_DATA(header), sizeof handle);
	return older(scene);
}

/* The receiver was there before the handle was opened, and never inherits it. */
static int passed(struct acts_scene *scene)
{
	pid_t pid;
	int status;
	char byte = 0;
	union control control;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	TRY(pid = fork());
	if (pid == 0) {
		scene->authors[1] = (uint32_t)getpid();
		_exit(receive(scene) < 0);
	}
	if (open_handle(scene) < 0 || write_handle(scene) < 0)
		return -1;
	memset(&control, 0, sizeof control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &handle, sizeof handle);
	TRY(sendmsg(pair[0], &message, 0));
	TRY(waitpid(pid, &status, 0));
	TRY(close(handle));
	return status == 0 ? 0 : acts_failed(scene, "the receiver", ECHILD, 0);
}

static int executed(struct acts_scene *scene)
{
	if (open_handle(scene) < 0)
		return -1;
	TRY(dup2(handle, 3));
	if (handle != 3)
		close(handle);
	TRY(execl("/bin/sh", "sh", "-c", "echo abcd >&3", (char *)NULL));
	return 0;
}

static int by_handle(struct acts_scene *scene)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} name = {.handle.handle_bytes = MAX_HANDLE_SZ};
	int mount, id;
	TRY(mount = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	WANT(name_to_handle_at(AT_FDCWD, "file", &name.handle, &id, 0));
	WANT(handle = open_by_handle_at(mount, &name.handle, O_WRONLY | O_APPEND | O_CLOEXEC));
	return older(scene);
}

const struct acts_row rows_handle[] = {
	{"handle-older", prepare_open, older},
	{"handle-inherited", prepare_file, inherited},
	{"handle-inherited-older", prepare_open, inherited},
	{"handle-passed", prepare_pair, passed},
	{"handle-after-exec", prepare_file, executed},
	{"open_by_handle_at", prepare_file, by_handle},
	{NULL, NULL, NULL},
};

static int reading(struct acts_scene *scene)
{
	char byte;
	int fd;
	TRY(fd = open("file", O_RDONLY | O_CLOEXEC));
	TRY(read(fd, &byte, 1));
	volatile char *memory = mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return acts_failed(scene, "mmap", errno, 0);
	scene->notes[0] = (uint64_t)memory[0];
	TRY(close(fd));
	return 0;
}

static int unwritten(struct acts_scene *scene)
{
	int fd;
	TRY(fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	TRY(close(fd));
	return 0;
}

static int private_store(struct acts_scene *scene)
{
	int fd;
	TRY(fd = open("file", O_RDWR | O_CLOEXEC));
	volatile char *memory = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return acts_failed(scene, "mmap", errno, 0);
	memory[0] = 'x';
	TRY(close(fd));
	return 0;
}

static int prepare_outside(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, outside(scene, "file"), 10));
	return prepare_file(scene);
}

static int neighbour(struct acts_scene *scene)
{
	TRY(acts_append(outside(scene, "file"), "abcde"));
	TRY(truncate(outside(scene, "file"), 3));
	TRY(chmod(outside(scene, "file"), 0600));
	TRY(chown(outside(scene, "file"), 65534, 65534));
	TRY(utimensat(AT_FDCWD, outside(scene, "file"), NULL, 0));
	TRY(setxattr(outside(scene, "file"), "security.hypervigil", "x", 1, 0));
	TRY(mkdir(outside(scene, "directory"), 0755));
	TRY(symlink("x", outside(scene, "symlink")));
	TRY(link(outside(scene, "file"), outside(scene, "link")));
	TRY(rename(outside(scene, "file"), outside(scene, "renamed")));
	TRY(unlink(outside(scene, "renamed")));
	TRY(rmdir(outside(scene, "directory")));
	return 0;
}

static int prepare_private(struct acts_scene *scene)
{
	if (prepare_file(scene) < 0)
		return -1;
	TRY(chmod("file", 0600));
	return 0;
}

/* Refusals that are none of a change: of reading, of a question, of a handle that neither reads nor writes. */
static int refused_reading(struct acts_scene *scene)
{
	TRY(setgid(65534));
	TRY(setuid(65534));
	REFUSED(open("file", O_RDONLY | O_CLOEXEC), EACCES);
	REFUSED(access("file", W_OK), EACCES);
	REFUSED(faccessat(AT_FDCWD, "file", W_OK, AT_EACCESS), EACCES);
	int fd;
	TRY(fd = open("file", O_PATH | O_WRONLY | O_CLOEXEC));
	TRY(close(fd));
	return 0;
}

const struct acts_row rows_silent[] = {
	{"silent-reading", prepare_file, reading},
	{"silent-open-for-writing", prepare_file, unwritten},
	{"silent-private-mapping", prepare_file, private_store},
	{"silent-neighbour", prepare_outside, neighbour},
	{"silent-refused-reading", prepare_private, refused_reading},
	{NULL, NULL, NULL},
};
