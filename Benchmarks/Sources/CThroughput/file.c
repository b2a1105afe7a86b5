/* Changes of files. */
#define _GNU_SOURCE
#include "events.h"
#include "parts.h"

static const uint8_t *last(const uint8_t *from, const uint8_t *end, uint8_t byte)
{
	return end > from ? memrchr(from, byte, end - from) : NULL;
}

#define LONG(name, value_)                              \
	do {                                            \
		if (value_ != UINT64_MAX) {             \
			PUT("\"" name "\":");           \
			out = count(out, value_);       \
			*out++ = ',';                   \
		}                                       \
	} while (0)

/* HV_VIA_* by the number of their bit. */
static __attribute__((noinline)) uint8_t *ways(uint8_t *out, uint32_t via)
{
	static const char *const names[] = {
		"write", "mmap", "io_uring", "aio", "sendfile", "splice", "copy_file_range", "reflink", "fallocate", "truncate", "kernel", "other",
	};
	int several = __builtin_popcount(via) > 1;

	PUT("\"via\":");
	if (several)
		*out++ = '[';
	for (; via; via &= via - 1) {
		unsigned int bit = __builtin_ctz(via);
		*out++ = '"';
		if (bit < sizeof(names) / sizeof(names[0])) {
			out = text(out, names[bit], strlen(names[bit]));
		} else {
			PUT("bit_");
			out = number(out, bit);
		}
		PUT("\",");
	}
	if (several) {
		out = close_with(out, ']');
		*out++ = ',';
	}
	return out;
}

/* Contents that changed, or by whom a ring's entry was done. */
static inline uint8_t *written(struct bench_json *json, uint8_t *out, const struct hv_file *file)
{
	uint32_t flags = file->header.flags, ring = flags & HV_FILE_IO_URING, via = ring ? HV_VIA_IO_URING : 0;

	if (file->action == HV_FILE_WRITE) {
		via |= file->via;
		PUT(",\"write\":{\"operations\":");
		out = count(out, file->operations);
		*out++ = ',';
		if (flags & HV_FILE_BYTES)
			LONG("bytes", file->value);
		if (flags & HV_FILE_OFFSET)
			LONG("offset", file->value_2);
		LONG("size_before", file->size_before);
		PUT("\"first\":\"");
		out = boottime(json, out, file->first);
		PUT("\",\"last\":\"");
		out = boottime(json, out, file->last);
		PUT("\",");
	} else if (ring) {
		PUT(",\"write\":{");
	} else {
		return out;
	}
	if (via)
		out = ways(out, via);
	if (ring)
		PUT("\"owner\":true,");
	if (file->action == HV_FILE_WRITE) {
		if (flags & HV_FILE_EVICTED)
			PUT("\"evicted\":true,");
		if (flags & HV_FILE_OPEN)
			PUT("\"open\":true,");
		else if (flags & HV_FILE_CLOSED)
			PUT("\"open\":false,");
	}
	return close_with(out, '}');
}

/* The path is the actor's, and as user space looked nothing up it is flagged unreachable. */
uint8_t *file_event(struct bench_json *json, uint8_t *out, const struct hv_file *file)
{
	const uint8_t *record = (const uint8_t *)file, *slash, *dot, *name;
	struct span path = slot(record, sizeof(*file), file->strings, HV_FILE_ACTOR, HV_FILE_STRINGS);
	struct span inner = slot(record, sizeof(*file), file->strings, HV_FILE_INNER, HV_FILE_STRINGS);
	const uint8_t *end = path.bytes + path.length;
	const char *classification;

	switch (file->action) {
	case HV_FILE_CREATE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"create\""; break;
	case HV_FILE_WRITE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"write\""; break;
	case HV_FILE_DELETE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"deletion\"],\"action\":\"delete\""; break;
	default: return NULL;
	}
	if (!path.length || file->header.flags & HV_FILE_SPELLED || file->strings[HV_FILE_ACTOR].flags & ~HV_STRING_SUFFIX)
		return NULL;
	out = begin(json, out, &file->header, classification, file->error, file->header.flags & HV_FILE_PENDING, 10);
	out = process(json, out, &file->actor);
	*out++ = '}';
	out = user(out, &file->actor);
	PUT(",\"file\":{\"path\":\"");
	out = string(out, path.bytes, path.length);
	PUT("\",");
	slash = last(path.bytes, end, '/');
	name = slash ? slash + 1 : path.bytes;
	if (slash) {
		PUT("\"directory\":\"");
		out = string(out, path.bytes, slash > path.bytes ? slash - path.bytes : 1);
		PUT("\",");
	}
	if (name < end) {
		PUT("\"name\":\"");
		out = string(out, name, end - name);
		PUT("\",");
		dot = last(name + 1, end, '.');
		if (dot && dot + 1 < end) {
			PUT("\"extension\":\"");
			out = string(out, dot + 1, end - dot - 1);
			PUT("\",");
		}
	}
	if (file->object.inode) {
		out = object(out, &file->object);
		PUT("\"mtime\":\"");
		out = timestamp(json, out, file->object.mtime);
		PUT("\",");
	} else {
		out = type(out, file->object.mode);
	}
	out = close_with(out, '}');
	out = own(out, &file->header, &file->actor, (struct span){ 0 });
	*out++ = '}';
	PUT(",\"path\":{\"flags\":[\"unreachable\"],");
	if (inner.length && (inner.length != path.length || memcmp(inner.bytes, path.bytes, path.length))) {
		PUT("\"inner\":\"");
		out = string(out, inner.bytes, inner.length);
		PUT("\",");
	}
	out = close_with(out, '}');
	out = written(json, out, file);
	PUT("}}\n");
	return out;
}
