/* SPDX-License-Identifier: Apache-2.0 */
/* Names that come, go and change. */
#include "rows.h"

#include <linux/openat2.h>
#include <sys/sysmacros.h>

static int create(struct acts_scene *scene)
{
	int fd;
	TRY(fd = open("new", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640));
	TRY(close(fd));
	return 0;
}

static int create_write(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, "new", 10));
	return 0;
}

static int mknod_fifo(struct acts_scene *scene) { TRY(mknod("new", S_IFIFO | 0600, 0)); return 0; }
static int mknod_device(struct acts_scene *scene) { WANT(mknod("new", S_IFCHR | 0600, makedev(1, 3))); return 0; }
static int mknod_file(struct acts_scene *scene) { TRY(mknod("new", S_IFREG | 0600, 0)); return 0; }
static int make_directory(struct acts_scene *scene) { TRY(mkdir("new", 0750)); return 0; }
static int prepare_directory(struct acts_scene *scene) { TRY(mkdir("directory", 0755)); return 0; }
static int remove_directory(struct acts_scene *scene) { TRY(rmdir("directory")); return 0; }
static int make_symlink(struct acts_scene *scene) { TRY(symlink("some/where else", "new")); return 0; }
static int make_link(struct acts_scene *scene) { TRY(link("file", "new")); return 0; }
static int rename_file(struct acts_scene *scene) { TRY(rename("file", "new")); return 0; }
static int remove_file(struct acts_scene *scene) { TRY(unlink("file")); return 0; }

static int link_unnamed(struct acts_scene *scene)
{
	char name[64];
	int fd;
	WANT(fd = open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	TRY(linkat(AT_FDCWD, name, AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
	TRY(close(fd));
	return 0;
}

static int prepare_two(struct acts_scene *scene)
{
	struct stat status;
	TRY(acts_file(AT_FDCWD, "other", 10));
	TRY(stat("other", &status));
	scene->notes[0] = status.st_ino;
	return prepare_file(scene);
}

static int rename_exchange(struct acts_scene *scene)
{
	WANT(renameat2(AT_FDCWD, "file", AT_FDCWD, "other", RENAME_EXCHANGE));
	return 0;
}

static int rename_over(struct acts_scene *scene) { TRY(rename("file", "other")); return 0; }

static int prepare_linked(struct acts_scene *scene)
{
	if (prepare_file(scene) < 0)
		return -1;
	TRY(link("file", "other"));
	return 0;
}

static int become_nobody(struct acts_scene *scene)
{
	TRY(setgid(65534));
	TRY(setuid(65534));
	return 0;
}

static int refused_rename(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(rename("file", "new"), EACCES);
	return 0;
}

static int refused_unlink(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(unlink("file"), EACCES);
	return 0;
}

static int refused_chmod(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(chmod("file", 0666), EPERM);
	return 0;
}

static int refused_open(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(open("file", O_WRONLY | O_CLOEXEC), EACCES);
	return 0;
}

/* Each way to ask for writing: to be emptied on the way, by creat(2), by openat2(2). */
static int refused_open_ways(struct acts_scene *scene)
{
	struct open_how how = {.flags = O_RDWR | O_CLOEXEC};
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(open("file", O_RDONLY | O_TRUNC | O_CLOEXEC), EACCES);
	REFUSED(creat("file", 0600), EACCES);
	REFUSED(syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how), EACCES);
	return 0;
}

static int refused_create(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(open("new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), EACCES);
	REFUSED(open("newer", O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0600), EACCES);
	return 0;
}

static int prepare_closed(struct acts_scene *scene)
{
	TRY(mkdir("directory", 0700));
	TRY(acts_file(AT_FDCWD, "directory/file", 10));
	return 0;
}

/* The folder may not be searched: whether there is such a file is not even looked at. */
static int refused_search(struct acts_scene *scene)
{
	if (become_nobody(scene) < 0)
		return -1;
	REFUSED(open("directory/file", O_WRONLY | O_CLOEXEC), EACCES);
	REFUSED(open("directory/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), EACCES);
	return 0;
}

const struct acts_row rows_names[] = {
	{"create", NULL, create},
	{"create-write", NULL, create_write},
	{"mknod-fifo", NULL, mknod_fifo},
	{"mknod-device", NULL, mknod_device},
	{"mknod-file", NULL, mknod_file},
	{"mkdir", NULL, make_directory},
	{"rmdir", prepare_directory, remove_directory},
	{"symlink", NULL, make_symlink},
	{"link", prepare_file, make_link},
	{"linkat-tmpfile", NULL, link_unnamed},
	{"rename", prepare_file, rename_file},
	{"rename-exchange", prepare_two, rename_exchange},
	{"rename-over", prepare_two, rename_over},
	{"unlink", prepare_file, remove_file},
	{"unlink-linked", prepare_linked, remove_file},
	{"refused-rename", prepare_file, refused_rename},
	{"refused-unlink", prepare_file, refused_unlink},
	{"refused-chmod", prepare_file, refused_chmod},
	{"refused-open", prepare_file, refused_open},
	{"refused-open-ways", prepare_file, refused_open_ways},
	{"refused-create", NULL, refused_create},
	{"refused-search", prepare_closed, refused_search},
	{NULL, NULL, NULL},
};
