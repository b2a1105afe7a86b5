/* SPDX-License-Identifier: Apache-2.0 */
/* Mode, owner, times, extended attributes, flags; and the parameters of the kernel. */
#include "rows.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int change_mode(struct acts_scene *scene) { TRY(chmod("file", 0600)); return 0; }
static int change_mode_2(struct acts_scene *scene) { WANT(syscall(452, AT_FDCWD, "file", 0600, 0)); return 0; }

static int change_mode_handle(struct acts_scene *scene)
{
	int fd;
	TRY(fd = open("file", O_RDONLY | O_CLOEXEC));
	TRY(fchmod(fd, 0600));
	TRY(close(fd));
	return 0;
}

static int change_owner(struct acts_scene *scene) { TRY(chown("file", 1234, 4321)); return 0; }
static int change_group(struct acts_scene *scene) { TRY(fchownat(AT_FDCWD, "file", (uid_t)-1, 4321, AT_SYMLINK_NOFOLLOW)); return 0; }

static int change_times(struct acts_scene *scene)
{
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000001}};
	TRY(utimensat(AT_FDCWD, "file", times, 0));
	return 0;
}

static int set_user(struct acts_scene *scene) { WANT(setxattr("file", "user.hypervigil", "value", 5, 0)); return 0; }
static int set_security(struct acts_scene *scene) { WANT(setxattr("file", "security.hypervigil", "value", 5, 0)); return 0; }

/* linux/posix_acl_xattr.h: version 2; user::rw-, user:1234:rw-, group::r--, mask::rw-, other::r-- */
static const struct {
	uint32_t version;
	struct { uint16_t tag, permissions; uint32_t id; } entries[5];
} access_list = {2, {{0x01, 6, ~0U}, {0x02, 6, 1234}, {0x04, 4, ~0U}, {0x10, 6, ~0U}, {0x20, 4, ~0U}}};

static int set_acl(struct acts_scene *scene)
{
	WANT(setxattr("file", "system.posix_acl_access", &access_list, sizeof access_list, 0));
	return 0;
}

static int prepare_user(struct acts_scene *scene) { return prepare_file(scene) < 0 || set_user(scene) < 0 ? -1 : 0; }
static int prepare_security(struct acts_scene *scene) { return prepare_file(scene) < 0 || set_security(scene) < 0 ? -1 : 0; }
static int prepare_acl(struct acts_scene *scene) { return prepare_file(scene) < 0 || set_acl(scene) < 0 ? -1 : 0; }
static int remove_user(struct acts_scene *scene) { TRY(removexattr("file", "user.hypervigil")); return 0; }
static int remove_security(struct acts_scene *scene) { TRY(removexattr("file", "security.hypervigil")); return 0; }
static int remove_acl(struct acts_scene *scene) { TRY(removexattr("file", "system.posix_acl_access")); return 0; }

static int set_immutable(struct acts_scene *scene)
{
	int fd, before, flags;
	TRY(fd = open("file", O_RDONLY | O_CLOEXEC));
	WANT(ioctl(fd, FS_IOC_GETFLAGS, &before));
	flags = before | FS_IMMUTABLE_FL;
	WANT(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	TRY(ioctl(fd, FS_IOC_SETFLAGS, &before));
	TRY(close(fd));
	return 0;
}

/* Writes back what is there, so that nothing changes for anyone. */
static int rewrite(struct acts_scene *scene, const char *path)
{
	char value[512];
	int fd;
	WANT(fd = open(path, O_RDONLY | O_CLOEXEC));
	ssize_t size = read(fd, value, sizeof value);
	TRY(size);
	TRY(close(fd));
	WANT(fd = open(path, O_WRONLY | O_CLOEXEC));
	WANT(write(fd, value, (size_t)size));
	TRY(close(fd));
	return 0;
}

static int write_sysctl(struct acts_scene *scene) { return rewrite(scene, "/proc/sys/kernel/core_pattern"); }
static int write_module_parameter(struct acts_scene *scene) { return rewrite(scene, "/sys/module/kernel/parameters/panic_on_warn"); }
static int write_debugfs(struct acts_scene *scene) { return rewrite(scene, "/sys/kernel/debug/fault_around_bytes"); }

const struct acts_row rows_attributes[] = {
	{"chmod", prepare_file, change_mode},
	{"fchmodat2", prepare_file, change_mode_2},
	{"fchmod", prepare_file, change_mode_handle},
	{"chown", prepare_file, change_owner},
	{"fchownat", prepare_file, change_group},
	{"utimensat", prepare_file, change_times},
	{"setxattr-user", prepare_file, set_user},
	{"setxattr-security", prepare_file, set_security},
	{"setxattr-acl", prepare_file, set_acl},
	{"removexattr-user", prepare_user, remove_user},
	{"removexattr-security", prepare_security, remove_security},
	{"removexattr-acl", prepare_acl, remove_acl},
	{"setflags", prepare_file, set_immutable},
	{"sysctl", NULL, write_sysctl},
	{"module-parameter", NULL, write_module_parameter},
	{"debugfs", NULL, write_debugfs},
	{NULL, NULL, NULL},
};
