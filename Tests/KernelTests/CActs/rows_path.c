/* SPDX-License-Identifier: Apache-2.0 */
/* One object under many names: whatever the caller writes, the path is the host's. */
#include "rows.h"

#include <sched.h>
#include <sys/mount.h>

static int prepare_link(struct acts_scene *scene)
{
	TRY(symlink(scene->inside, outside(scene, "way")));
	return prepare_file(scene);
}

static int through_symlink(struct acts_scene *scene)
{
	TRY(acts_append(outside(scene, "way/file"), "abcde"));
	TRY(rename(outside(scene, "way/file"), outside(scene, "way/new")));
	return 0;
}

static int through_dots(struct acts_scene *scene)
{
	const char *name = strrchr(scene->inside, '/') + 1;
	char path[ACTS_PATH];
	snprintf(path, sizeof path, ".././%s//../%s/file", name, name);
	TRY(acts_append(path, "abcde"));
	TRY(chmod(path, 0600));
	return 0;
}

static int through_proc(struct acts_scene *scene)
{
	char path[ACTS_PATH + 32];
	snprintf(path, sizeof path, "/proc/self/root%s/file", scene->inside);
	TRY(acts_append(path, "abcde"));
	TRY(unlink(path));
	return 0;
}

static int prepare_bound(struct acts_scene *scene)
{
	TRY(mkdir(outside(scene, "bound"), 0755));
	WANT(mount(scene->inside, outside(scene, "bound"), NULL, MS_BIND, NULL));
	return prepare_file(scene);
}

static int through_bind(struct acts_scene *scene)
{
	TRY(acts_append(outside(scene, "bound/file"), "abcde"));
	TRY(rename(outside(scene, "bound/file"), outside(scene, "bound/new")));
	TRY(mkdir(outside(scene, "bound/directory"), 0755));
	return 0;
}

static int through_chroot(struct acts_scene *scene)
{
	TRY(chroot(".."));
	TRY(chdir("/"));
	char path[ACTS_PATH];
	snprintf(path, sizeof path, "/%s/file", strrchr(scene->inside, '/') + 1);
	TRY(acts_append(path, "abcde"));
	TRY(unlink(path));
	return 0;
}

/* A namespace that has the folder at /mnt, as a container has its volumes. */
static int through_namespace(struct acts_scene *scene)
{
	WANT(unshare(CLONE_NEWNS));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	WANT(mount(scene->inside, "/mnt", NULL, MS_BIND, NULL));
	TRY(acts_append("/mnt/file", "abcde"));
	TRY(unlink("/mnt/file"));
	return 0;
}

/* What the container has at the watched path is its own. */
static int own_namespace(struct acts_scene *scene)
{
	WANT(unshare(CLONE_NEWNS));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	WANT(mount(outside(scene, "own"), scene->inside, NULL, MS_BIND, NULL));
	TRY(chdir(scene->inside));
	TRY(acts_append("file", "abcde"));
	TRY(unlink("file"));
	return 0;
}

static int prepare_own(struct acts_scene *scene)
{
	TRY(mkdir(outside(scene, "own"), 0755));
	TRY(acts_file(AT_FDCWD, outside(scene, "own/file"), 10));
	return prepare_file(scene);
}

static int strange_names(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, "new\nline \"quoted\" \\ back", 10));
	TRY(acts_file(AT_FDCWD, "not \xff utf8 \xc3", 10));
	return 0;
}

static int deep(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, "file", 10));
	TRY(chmod("file", 0600));
	return 0;
}

static int prepare_deep(struct acts_scene *scene)
{
	for (int depth = 0; depth < 60; depth++) {
		TRY(mkdir("directory", 0755));
		TRY(chdir("directory"));
	}
	return 0;
}

/* The watched root under a new name, behind a symlink that took its place, and bound elsewhere: still the same object. */
static int prepare_root(struct acts_scene *scene)
{
	TRY(mkdir(outside(scene, "bound"), 0755));
	TRY(acts_file(AT_FDCWD, "first", 10));
	TRY(acts_file(AT_FDCWD, "second", 10));
	TRY(acts_file(AT_FDCWD, "third", 10));
	return 0;
}

static int move_root(struct acts_scene *scene)
{
	char moved[ACTS_PATH + 8];
	snprintf(moved, sizeof moved, "%s-moved", scene->inside);
	TRY(rename(scene->inside, moved));
	TRY(symlink(moved, scene->inside));
	TRY(acts_append("first", "abcde"));
	TRY(acts_append(inside(scene, "second"), "abcde"));
	WANT(mount(moved, outside(scene, "bound"), NULL, MS_BIND, NULL));
	TRY(acts_append(outside(scene, "bound/third"), "abcde"));
	TRY(umount2(outside(scene, "bound"), MNT_DETACH));
	return 0;
}

/* Another tree takes the name of the watched one. */
static int replace_root(struct acts_scene *scene)
{
	TRY(rename(scene->inside, outside(scene, "old")));
	TRY(mkdir(scene->inside, 0755));
	usleep(2500 * 1000); /* user space has to see it to watch it */
	TRY(mkdir(inside(scene, "new"), 0755));
	return 0;
}

static int link_elsewhere(struct acts_scene *scene)
{
	TRY(link("file", outside(scene, "other")));
	TRY(acts_append(outside(scene, "other"), "abcde"));
	return 0;
}

static int prepare_linked_elsewhere(struct acts_scene *scene)
{
	if (prepare_file(scene) < 0)
		return -1;
	TRY(link("file", outside(scene, "other")));
	return 0;
}

static int write_linked(struct acts_scene *scene)
{
	TRY(acts_append(outside(scene, "other"), "abcde"));
	return 0;
}

static int prepare_coming(struct acts_scene *scene)
{
	TRY(mkdir(outside(scene, "coming"), 0755));
	TRY(acts_file(AT_FDCWD, outside(scene, "coming/file"), 10));
	return 0;
}

static int prepare_coming_linked(struct acts_scene *scene)
{
	if (prepare_coming(scene) < 0)
		return -1;
	TRY(link(outside(scene, "coming/file"), outside(scene, "twin")));
	return 0;
}

/* By the name that stays outside the file is judged again, before the one that came is used. */
static int come_linked(struct acts_scene *scene)
{
	TRY(rename(outside(scene, "coming"), "came"));
	TRY(acts_append(outside(scene, "twin"), "abcde"));
	TRY(rename("came/file", outside(scene, "away")));
	return 0;
}

static int come(struct acts_scene *scene)
{
	TRY(acts_append(outside(scene, "coming/file"), "not seen"));
	TRY(rename(outside(scene, "coming"), "came"));
	TRY(acts_append("came/file", "abcde"));
	TRY(mkdir("came/new", 0755));
	return 0;
}

static int prepare_going(struct acts_scene *scene)
{
	TRY(mkdir("going", 0755));
	TRY(acts_file(AT_FDCWD, "going/file", 10));
	return 0;
}

static int go(struct acts_scene *scene)
{
	TRY(acts_append("going/file", "seen"));
	TRY(rename("going", outside(scene, "gone")));
	TRY(acts_append(outside(scene, "gone/file"), "not seen"));
	TRY(mkdir(outside(scene, "gone/new"), 0755));
	return 0;
}

const struct acts_row rows_path[] = {
	{"path-symlink", prepare_link, through_symlink},
	{"path-dots", prepare_file, through_dots},
	{"path-proc-root", prepare_file, through_proc},
	{"path-bind", prepare_bound, through_bind},
	{"path-chroot", prepare_file, through_chroot},
	{"path-namespace", prepare_file, through_namespace},
	{"path-own-namespace", prepare_own, own_namespace},
	{"path-names", NULL, strange_names},
	{"path-deep", prepare_deep, deep},
	{"root-moved", prepare_root, move_root},
	{"root-replaced", NULL, replace_root},
	{"hard-link-later", prepare_file, link_elsewhere},
	{"hard-link-before", prepare_linked_elsewhere, write_linked},
	{"directory-comes", prepare_coming, come},
	{"directory-comes-linked", prepare_coming_linked, come_linked},
	{"directory-goes", prepare_going, go},
	{NULL, NULL, NULL},
};
