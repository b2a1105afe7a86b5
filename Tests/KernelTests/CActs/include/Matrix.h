/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The acts of the matrix: one way to change a file each, done by a process of its own in a folder of its own.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdint.h>
#include <sys/types.h>

enum { ACTS_PATH = 1024, ACTS_AUTHORS = 4, ACTS_NOTES = 4 };

/* What a row's process and the runner share. */
struct acts_scene {
	char inside[ACTS_PATH];  /* the row's own folder, watched; its process's working directory */
	char outside[ACTS_PATH]; /* another, on the same file system, not watched */
	int error;         /* 0 or the errno of the step that failed */
	int unsupported;   /* that step can't be done on this kernel or file system */
	char step[120];    /* the step */
	uint32_t authors[ACTS_AUTHORS]; /* processes that act; the first is the row's own */
	uint64_t notes[ACTS_NOTES];     /* inode numbers and such, by row */
	/* Private to the functions below. */
	const struct acts_row *row;
	int go;
};

/* Number of rows, and the name of one. */
uint32_t acts_row_count(void);
const char *acts_row_name(uint32_t row);

/*
 * Starts the row's process and has it prepare what the act needs; both folders are there. NULL where that can't be
 * (errno). The scene's error says how the preparation ended.
 */
struct acts_scene *acts_scene_start(uint32_t row, const char *inside, const char *outside);

/* Has the process act. */
void acts_scene_act(struct acts_scene *scene);

/* Waits for its end: the scene's error, or -1 where the process ended otherwise. */
int acts_scene_end(struct acts_scene *scene);

#endif
