/* SPDX-License-Identifier: Apache-2.0 */
/* A service of nsswitch.conf(5) whose server never answers. */
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <sys/types.h>
#include <unistd.h>

static enum nss_status hang(void)
{
	for (;;)
		pause();
}

enum nss_status _nss_hvhang_getpwuid_r(uid_t id, struct passwd *result, char *buffer, size_t size, int *error)
{
	(void)id, (void)result, (void)buffer, (void)size, (void)error;
	return hang();
}

enum nss_status _nss_hvhang_getgrgid_r(gid_t id, struct group *result, char *buffer, size_t size, int *error)
{
	(void)id, (void)result, (void)buffer, (void)size, (void)error;
	return hang();
}
