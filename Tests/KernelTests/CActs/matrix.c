/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"
#include "CActs.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static const struct acts_row *const tables[] = {
	rows_write, rows_handle, rows_names, rows_attributes, rows_mount, rows_path, rows_silent,
};

static const struct acts_row *row_at(uint32_t number)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct acts_row *row = tables[i]; row->name != NULL; row++)
			if (number-- == 0)
				return row;
	return NULL;
}

uint32_t acts_row_count(void)
{
	uint32_t count = 0;
	while (row_at(count) != NULL)
		count++;
	return count;
}

const char *acts_row_name(uint32_t row)
{
	return row_at(row)->name;
}

int acts_failed(struct acts_scene *scene, const char *step, int error, int unsupported)
{
	if (scene->error == 0) {
		scene->error = error != 0 ? error : EPROTO;
		scene->unsupported = unsupported;
		snprintf(scene->step, sizeof scene->step, "%s", step);
	}
	return -1;
}

int acts_unsupported(int error)
{
	return error == ENOSYS || error == EOPNOTSUPP || error == EINVAL || error == EXDEV || error == ENOTTY || error == EPERM ||
	       error == ENODEV || error == ENOENT || error == EACCES;
}

int acts_file(int directory, const char *name, size_t size)
{
	int fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	for (size_t done = 0; done < size;) {
		size_t part = size - done < 10 ? size - done : 10;
		ssize_t written = write(fd, "0123456789", part);
		if (written < 0)
			return -1;
		done += (size_t)written;
	}
	return close(fd);
}

int prepare_file(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, "file", 10));
	return 0;
}

int prepare_large(struct acts_scene *scene)
{
	TRY(acts_file(AT_FDCWD, "file", 12288));
	return 0;
}

static const char *below(const char *folder, const char *name)
{
	static char paths[4][2 * ACTS_PATH];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

const char *outside(struct acts_scene *scene, const char *name)
{
	return below(scene->outside, name);
}

const char *inside(struct acts_scene *scene, const char *name)
{
	return below(scene->inside, name);
}

int acts_append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t written = write(fd, text, strlen(text));
	int error = errno;
	close(fd);
	errno = error;
	return written < 0 ? -1 : 0;
}

int acts_in_child(struct acts_scene *scene, int author, acts_function *act)
{
	pid_t pid = fork();
	if (pid == 0) {
		scene->authors[author] = (uint32_t)getpid();
		_exit(act(scene) < 0);
	}
	if (pid < 0)
		return acts_failed(scene, "fork", errno, 0);
	int status = acts_wait(pid);
	return status == 0 ? 0 : acts_failed(scene, "a child ended badly", ECHILD, 0);
}

static int play(struct acts_scene *scene, int go, int done)
{
	char byte = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scene->authors[0] = (uint32_t)getpid();
	umask(022);
	if (chdir(scene->inside) < 0)
		return acts_failed(scene, "chdir", errno, 0);
	if (scene->row->prepare != NULL && scene->row->prepare(scene) < 0)
		return -1;
	if (write(done, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		return acts_failed(scene, "waiting for the start", errno, 0);
	return scene->row->act(scene);
}

struct acts_scene *acts_scene_start(uint32_t row, const char *inside_path, const char *outside_path)
{
	int go[2], done[2];
	char byte;
	struct acts_scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED || pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		return NULL;
	snprintf(scene->inside, sizeof scene->inside, "%s", inside_path);
	snprintf(scene->outside, sizeof scene->outside, "%s", outside_path);
	scene->row = row_at(row);
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		close(done[0]);
		_exit(play(scene, go[0], done[1]) < 0);
	}
	close(go[0]);
	close(done[1]);
	if (pid < 0)
		return NULL;
	scene->authors[0] = (uint32_t)pid;
	/* The end of the pipe, where the preparation failed. */
	(void)!read(done[0], &byte, 1);
	close(done[0]);
	scene->go = go[1];
	return scene;
}

void acts_scene_act(struct acts_scene *scene)
{
	char byte = 0;
	(void)!write(scene->go, &byte, 1);
	close(scene->go);
}

int acts_scene_end(struct acts_scene *scene)
{
	int status = acts_wait((pid_t)scene->authors[0]);
	return scene->error != 0 ? scene->error : status == 0 ? 0 : -1;
}
