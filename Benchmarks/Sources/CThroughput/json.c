/* The events of Sources/Events, written in C: the same bytes for a record whose strings are UTF-8 and whole. */
#include "events.h"
#include "slots.h"
#include "walk.h"

size_t bench_c_json(struct bench_json *json, const uint8_t *record, size_t size, uint8_t *out)
{
	const struct hv_header *header = (const void *)record;
	uint8_t *end = NULL;

	if (size < sizeof(*header))
		return 0;
	if (header->kind == HV_KIND_EXEC) {
		const struct hv_exec *exec = (const void *)record;
		if (size >= sizeof(*exec) && whole(header, size, sizeof(*exec), exec->strings, HV_EXEC_STRINGS))
			end = exec_event(json, out, exec);
	} else if (header->kind == HV_KIND_FILE) {
		const struct hv_file *file = (const void *)record;
		if (size >= sizeof(*file) && whole(header, size, sizeof(*file), file->strings, HV_FILE_STRINGS))
			end = file_event(json, out, file);
	} else if (header->kind == HV_KIND_EXIT) {
		if (size >= sizeof(struct hv_exit) && header->size == size)
			end = exit_event(json, out, (const void *)record);
	}
	return end ? end - out : 0;
}

uint64_t bench_c_json_ring(const struct bench_ring *ring, struct bench_json *json, uint8_t *out, size_t room, uint64_t *records)
{
	uint64_t bytes = 0, seen = 0;
	size_t at = 0;

	WALK(ring, {
		size_t written = bench_c_json(json, record, size, out + at);
		seen++;
		bytes += written;
		at += written;
		if (at > room)
			at = 0;
	});
	*records += seen;
	return bytes;
}
