#include <string.h>

#include "CThroughput.h"
#include "walk.h"

/* A record of that kind, as long as it says, with room for its strings. */
static inline int whole(const struct hv_header *header, uint32_t size, size_t fixed, const struct hv_string *strings, int count)
{
	size_t bytes = fixed;

	if (header->size != size)
		return 0;
	for (int slot = 0; slot < count; slot++)
		bytes += strings[slot].length;
	return bytes <= size;
}

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
		digest->mixed += exec->strings[HV_EXEC_ARGS].length;
		digest->hits += exec->strings[HV_EXEC_EXECUTABLE].length >= 9 && !memcmp(record + sizeof(*exec), "/usr/lib/", 9);
		break;
	}
	case HV_KIND_FILE: {
		const struct hv_file *file = (const void *)record;
		if (size < sizeof(*file) || !whole(header, size, sizeof(*file), file->strings, HV_FILE_STRINGS))
			return;
		digest->mixed ^= header->time ^ header->sequence ^ header->flags ^ actor(&file->actor) ^ file->object.inode ^
				 file->object.device ^ file->action ^ file->operations;
		digest->mixed += file->strings[HV_FILE_ACTOR].length;
		digest->hits += file->strings[HV_FILE_INNER].length >= 9 && !memcmp(record + sizeof(*file), "/usr/lib/", 9);
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
