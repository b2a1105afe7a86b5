/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of rows share. Every function of a row runs in its process, in the scene's folder `inside`. */
#ifndef ROWS_H
#define ROWS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "Matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int acts_function(struct acts_scene *scene); /* 0, or -1 with the step noted */

struct acts_row {
	const char *name;
	acts_function *prepare, *act; /* prepare may be NULL */
};

extern const struct acts_row rows_write[], rows_handle[], rows_names[], rows_attributes[], rows_mount[], rows_path[], rows_silent[];

/* Note a step that failed; returns -1. */
int acts_failed(struct acts_scene *scene, const char *step, int error, int unsupported);

/* A step that has to succeed; one that not every kernel or file system can do. */
#define TRY(call) do { if ((call) < 0) return acts_failed(scene, #call, errno, 0); } while (0)
#define WANT(call) do { if ((call) < 0) return acts_failed(scene, #call, errno, acts_unsupported(errno)); } while (0)
/* A step that must be refused, with this errno. */
#define REFUSED(call, error) do { if ((call) >= 0 || errno != (error)) return acts_failed(scene, #call " was not refused", errno, 0); } while (0)

int acts_unsupported(int error);

/* Create `name` with `size` bytes of digits; 0 or -1 with errno. */
int acts_file(int directory, const char *name, size_t size);

/* `file` with 10 bytes; with 12,288. */
int prepare_file(struct acts_scene *scene);
int prepare_large(struct acts_scene *scene);

/* `scene->outside` with "/name" behind it, in a buffer of its own for each of the last 4 calls. */
const char *outside(struct acts_scene *scene, const char *name);
const char *inside(struct acts_scene *scene, const char *name);

/* Have a child do `act`, noted as the author of that number; 0, or -1 with what the child noted. */
int acts_in_child(struct acts_scene *scene, int author, acts_function *act);

/* Append `text` to a file by its path and close it: 0 or -1 with errno. */
int acts_append(const char *path, const char *text);

#endif
