/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts under and over what is watched, and writers that are the kernel itself. */
#include "rows.h"

#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/* linux/mount.h can't be included beside sys/mount.h of this libc. */
enum { OPEN_TREE_CLONE_ = 1, MOVE_MOUNT_F_EMPTY_PATH_ = 4 };

/* The mount is reported by its event; what lies in it is watched as soon as user space has seen that. */
static void settle(void) { usleep(2500 * 1000); } /* an emulated CPU that others share takes its time */

static int prepare_point(struct acts_scene *scene)
{
	TRY(mkdir("point", 0755));
	TRY(mkdir(outside(scene, "source"), 0755));
	TRY(acts_file(AT_FDCWD, outside(scene, "source/file"), 10));
	return 0;
}

static int mount_tmpfs(struct acts_scene *scene)
{
	WANT(mount("scratch", "point", "tmpfs", MS_NOSUID, NULL));
	settle();
	TRY(mkdir("point/new", 0755));
	TRY(umount("point"));
	return 0;
}

static int mount_bind(struct acts_scene *scene)
{
	WANT(mount(outside(scene, "source"), "point", NULL, MS_BIND, NULL));
	settle();
	TRY(acts_append("point/file", "abcde"));
	TRY(umount("point"));
	return 0;
}

static int mount_moved(struct acts_scene *scene)
{
	int tree;
	WANT(tree = (int)syscall(SYS_open_tree, AT_FDCWD, outside(scene, "source"), OPEN_TREE_CLONE_ | O_CLOEXEC));
	WANT(syscall(SYS_move_mount, tree, "", AT_FDCWD, "point", MOVE_MOUNT_F_EMPTY_PATH_));
	TRY(close(tree));
	TRY(umount2("point", MNT_DETACH));
	return 0;
}

static int mount_again(struct acts_scene *scene)
{
	WANT(mount(NULL, "point", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	return 0;
}

static int prepare_mounted(struct acts_scene *scene)
{
	if (prepare_point(scene) < 0)
		return -1;
	WANT(mount(outside(scene, "source"), "point", NULL, MS_BIND, NULL));
	return 0;
}

/* Over the watched root itself; beneath it the old one is as it was. */
static int mount_over(struct acts_scene *scene)
{
	int old;
	TRY(old = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	WANT(mount("scratch", scene->inside, "tmpfs", 0, NULL));
	settle();
	TRY(mkdir(inside(scene, "new"), 0755));
	TRY(umount(scene->inside));
	TRY(mkdirat(old, "old", 0755));
	TRY(close(old));
	return 0;
}

/* In a namespace of its own: what the old root's place is in the new one. */
static int change_root(struct acts_scene *scene)
{
	WANT(unshare(CLONE_NEWNS));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	WANT(mount("point", "point", NULL, MS_BIND, NULL));
	TRY(mkdir("point/old", 0755));
	WANT(syscall(SYS_pivot_root, "point", "point/old"));
	return 0;
}

static int loop = -1;

/* A loop device of 64 KiB on a watched file: whoever writes to the device writes to the file. */
static int prepare_loop(struct acts_scene *scene)
{
	/* Should this process be killed, nothing is left. */
	struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
	char name[32];
	int control, number, image;
	TRY(acts_file(AT_FDCWD, "image", 65536));
	WANT(control = open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	WANT(number = ioctl(control, LOOP_CTL_GET_FREE));
	snprintf(name, sizeof name, "/dev/loop%d", number);
	WANT(loop = open(name, O_RDWR | O_CLOEXEC));
	TRY(image = open("image", O_RDWR | O_CLOEXEC));
	WANT(ioctl(loop, LOOP_SET_FD, image));
	TRY(ioctl(loop, LOOP_SET_STATUS64, &info));
	TRY(close(image));
	return 0;
}

static int write_loop(struct acts_scene *scene)
{
	char block[4096];
	memset(block, 'x', sizeof block);
	TRY(pwrite(loop, block, sizeof block, 8192));
	TRY(fsync(loop));
	TRY(close(loop));
	usleep(300 * 1000); /* the kernel lets go of the file after the last close */
	return 0;
}

/* An overlay whose file is in the upper folder already: nothing is copied up. */
static int overlay(struct acts_scene *scene, const char *upper, const char *work, const char *merged)
{
	char options[4 * ACTS_PATH];
	TRY(mkdir(outside(scene, "lower"), 0755));
	TRY(mkdir(upper, 0755));
	TRY(mkdir(work, 0755));
	TRY(mkdir(merged, 0755));
	snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s,workdir=%s", scene->outside, upper, work);
	TRY(chdir(upper));
	if (prepare_file(scene) < 0)
		return -1;
	TRY(chdir(scene->inside));
	WANT(mount("overlay", merged, "overlay", 0, options));
	return 0;
}

static int change_overlay(struct acts_scene *scene, const char *merged)
{
	TRY(chdir(merged));
	TRY(acts_append("file", "abcde"));
	TRY(acts_file(AT_FDCWD, "new", 0));
	TRY(rename("new", "renamed"));
	TRY(chmod("file", 0600));
	return 0;
}

static int prepare_merged(struct acts_scene *scene)
{
	return overlay(scene, outside(scene, "upper"), outside(scene, "work"), inside(scene, "merged"));
}

static int change_merged(struct acts_scene *scene) { return change_overlay(scene, inside(scene, "merged")); }

static int prepare_upper(struct acts_scene *scene)
{
	return overlay(scene, inside(scene, "upper"), inside(scene, "work"), outside(scene, "merged"));
}

static int change_upper(struct acts_scene *scene) { return change_overlay(scene, outside(scene, "merged")); }

const struct acts_row rows_mount[] = {
	{"mount-tmpfs", prepare_point, mount_tmpfs},
	{"mount-bind", prepare_point, mount_bind},
	{"move_mount", prepare_point, mount_moved},
	{"remount", prepare_mounted, mount_again},
	{"pivot_root", prepare_point, change_root},
	{"root-mounted-over", NULL, mount_over},
	{"loop-device", prepare_loop, write_loop},
	{"overlay-merged", prepare_merged, change_merged},
	{"overlay-upper", prepare_upper, change_upper},
	{NULL, NULL, NULL},
};
