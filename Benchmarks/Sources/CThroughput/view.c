#include <string.h>

#include "CThroughput.h"
#include "slots.h"
#include "walk.h"

/* The last byte and the length: whoever has these has found the string. */
static inline uint64_t end_of(struct span string)
{
	return string.length + (string.length ? string.bytes[string.length - 1] : 0);
}

static inline int is_library(struct span path) { return path.length >= 9 && !memcmp(path.bytes, "/usr/lib/", 9); }

static inline uint64_t actor(const struct hv_actor *actor)
{
	return actor->start ^ actor->parent_start ^ actor->cgroup ^ actor->capabilities ^ actor->pid ^ actor->tid ^ actor->parent_pid ^
	       actor->uid ^ actor->euid ^ actor->login_uid;
}

static inline void view(const uint8_t *record, uint32_t size, struct bench_digest *digest)
{
	const struct hv_header *header = (const void *)record;

	digest->records++;
	digest->bytes += size;
	if (size < sizeof(*header))
		return;
	switch (header->kind) {
	case HV_KIND_EXEC: {
		const struct hv_exec *exec = (const void *)record;
		if (size < sizeof(*exec) || !whole(header, size, sizeof(*exec), exec->strings, HV_EXEC_STRINGS))
			return;
		digest->mixed ^= header->time ^ header->sequence ^ header->flags ^ actor(&exec->actor) ^ exec->executable.inode ^
				 exec->executable.device ^ exec->args_count;
		digest->mixed += end_of(slot(record, sizeof(*exec), exec->strings, HV_EXEC_ARGS, HV_EXEC_STRINGS));
		digest->hits += is_library(slot(record, sizeof(*exec), exec->strings, HV_EXEC_EXECUTABLE, HV_EXEC_STRINGS));
		break;
	}
	case HV_KIND_FILE: {
		const struct hv_file *file = (const void *)record;
		if (size < sizeof(*file) || !whole(header, size, sizeof(*file), file->strings, HV_FILE_STRINGS))
			return;
		digest->mixed ^= header->time ^ header->sequence ^ header->flags ^ actor(&file->actor) ^ file->object.inode ^
				 file->object.device ^ file->action ^ file->operations;
		digest->mixed += end_of(slot(record, sizeof(*file), file->strings, HV_FILE_ACTOR, HV_FILE_STRINGS));
		digest->hits += is_library(slot(record, sizeof(*file), file->strings, HV_FILE_INNER, HV_FILE_STRINGS));
		break;
	}
	case HV_KIND_EXIT: {
		const struct hv_exit *exit = (const void *)record;
		if (size < sizeof(*exit) || header->size != size)
			return;
		digest->mixed ^= header->time ^ header->sequence ^ actor(&exit->actor) ^ exit->status;
		break;
	}
	}
}

void bench_c_view(const struct bench_ring *ring, struct bench_digest *digest)
{
	struct bench_digest sum = *digest;

	WALK(ring, { view(record, size, &sum); });
	*digest = sum;
}
