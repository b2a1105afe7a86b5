/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CActs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int has(const char *line, size_t size, const char *mark)
{
	return memmem(line, size, mark, strlen(mark)) != NULL;
}

static int count(struct acts_tally *tally, const char *line, size_t size, uint32_t writes)
{
	static const char mark[] = "\"operations\":";
	if (has(line, size, "\"action\":\"create\"")) {
		tally->created++;
	} else if (has(line, size, "\"action\":\"rename\"")) {
		tally->renamed++;
	} else if (has(line, size, "\"action\":\"delete\"")) {
		tally->deleted++;
	} else if (has(line, size, "\"action\":\"write\"") && has(line, size, "\"open\":true")) {
		tally->first++;
	} else if (has(line, size, "\"action\":\"write\"") && has(line, size, "\"open\":false")) {
		const char *number = memmem(line, size, mark, sizeof mark - 1);
		uint64_t operations = number == NULL ? 0 : strtoull(number + sizeof mark - 1, NULL, 10);
		tally->totals++;
		tally->operations += operations;
		tally->odd += operations != writes;
	} else {
		return -EBADMSG;
	}
	return 0;
}

int acts_tally(const char *path, const char *folder, uint32_t writes, struct acts_tally *tally)
{
	FILE *file = fopen(path, "re"), *others;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;
	int error = 0;
	memset(tally, 0, sizeof *tally);
	if (file == NULL)
		return -errno;
	others = open_memstream(&tally->others, &tally->others_size);
	while (error == 0 && (size = getline(&line, &capacity, file)) > 0) {
		if (has(line, (size_t)size, folder))
			error = count(tally, line, (size_t)size, writes);
		else
			fwrite(line, 1, (size_t)size, others);
	}
	fclose(others);
	fclose(file);
	free(line);
	return error;
}
