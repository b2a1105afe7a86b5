/* The events of Sources/Events, written in C: the same bytes for a record whose strings are UTF-8 and whole. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/stat.h>

#include "CThroughput.h"
#include "text.h"
#include "walk.h"

struct span {
	const uint8_t *bytes;
	size_t length;
};

static inline struct span slot(const uint8_t *record, size_t fixed, const struct hv_string *strings, int index)
{
	struct span span = { record + fixed, strings[index].length };

	for (int before = 0; before < index; before++)
		span.bytes += strings[before].length;
	return span;
}

/* Days since 1970 to "YYYY-MM-DD", by eras of 400 years that begin in March. */
static __attribute__((noinline)) void date(struct bench_json *json, int64_t day)
{
	uint64_t shifted = day + 719468, era = shifted / 146097, of_era = shifted % 146097;
	uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t march_month = (5 * of_year + 2) / 153;
	uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
	uint64_t year = year_of_era + era * 400 + (month <= 2);

	json->cached_day = day;
	pair((uint8_t *)json->date, year / 100);
	pair((uint8_t *)json->date + 2, year % 100);
	json->date[4] = '-';
	pair((uint8_t *)json->date + 5, month);
	json->date[7] = '-';
	pair((uint8_t *)json->date + 8, of_year - (153 * march_month + 2) / 5 + 1);
}

static uint8_t *timestamp(struct bench_json *json, uint8_t *out, int64_t nanoseconds)
{
	int64_t seconds = nanoseconds / 1000000000, day = seconds / 86400;
	uint32_t fraction = nanoseconds % 1000000000, second = seconds % 86400, low = fraction % 100000;

	if (day != json->cached_day)
		date(json, day);
	memcpy(out, json->date, 10);
	out[10] = 'T';
	pair(out + 11, second / 3600);
	out[13] = ':';
	pair(out + 14, second / 60 % 60);
	out[16] = ':';
	pair(out + 17, second % 60);
	out[19] = '.';
	pair(out + 20, fraction / 10000000);
	pair(out + 22, fraction / 100000 % 100);
	out[24] = '0' + low / 10000;
	pair(out + 25, low / 100 % 100);
	pair(out + 27, low % 100);
	out[29] = 'Z';
	return out + 30;
}

static inline uint8_t *boottime(struct bench_json *json, uint8_t *out, uint64_t time)
{
	return timestamp(json, out, (int64_t)time + json->realtime_offset);
}

static inline uint8_t *text(uint8_t *out, const char *bytes, size_t length)
{
	memcpy(out, bytes, length);
	return out + length;
}

static inline uint8_t *close_with(uint8_t *out, uint8_t bracket)
{
	if (out[-1] == ',')
		out--;
	*out++ = bracket;
	return out;
}

static uint8_t *begin(struct bench_json *json, uint8_t *out, const struct hv_header *header, const char *classification, int32_t error,
		      int pending, uint32_t severity)
{
	PUT("{\"@timestamp\":\"");
	out = boottime(json, out, header->time);
	out = text(out, json->opening, json->opening_length);
	out = text(out, json->event_id, json->event_id_length);
	*out++ = 'r';
	out = number(out, header->ring);
	*out++ = 'c';
	out = number(out, header->cpu);
	*out++ = '-';
	out = number(out, header->sequence);
	PUT("\",");
	out = text(out, classification, strlen(classification));
	if (error)
		PUT(",\"outcome\":\"failure\",\"severity\":");
	else if (pending)
		PUT(",\"outcome\":\"unknown\",\"severity\":");
	else
		PUT(",\"outcome\":\"success\",\"severity\":");
	out = number(out, severity);
	*out++ = '}';
	if (error) {
		const char *name = strerrorname_np(-error);
		PUT(",\"error\":{\"code\":\"");
		out = text(out, name, strlen(name));
		PUT("\"}");
	}
	return out;
}

static inline uint8_t *entity(struct bench_json *json, uint8_t *out, uint32_t pid, uint64_t start)
{
	out = text(out, json->entity_id, json->entity_id_length);
	out = number(out, pid);
	*out++ = '-';
	out = number(out, start);
	*out++ = '"';
	return out;
}

static uint8_t *process(struct bench_json *json, uint8_t *out, const struct hv_actor *actor)
{
	PUT(",\"process\":{\"pid\":");
	out = number(out, actor->pid);
	PUT(",\"thread\":{\"id\":");
	out = number(out, actor->tid);
	PUT("},");
	out = entity(json, out, actor->pid, actor->start);
	PUT(",\"start\":\"");
	out = boottime(json, out, actor->start);
	PUT("\",\"name\":\"");
	out = string(out, (const uint8_t *)actor->comm, strnlen(actor->comm, sizeof(actor->comm)));
	PUT("\",\"saved_user\":{\"id\":");
	out = quoted(out, actor->suid);
	PUT("},\"saved_group\":{\"id\":");
	out = quoted(out, actor->sgid);
	PUT("},\"parent\":{\"pid\":");
	out = number(out, actor->parent_pid);
	*out++ = ',';
	out = entity(json, out, actor->parent_pid, actor->parent_start);
	PUT(",\"name\":\"");
	out = string(out, (const uint8_t *)actor->parent_comm, strnlen(actor->parent_comm, sizeof(actor->parent_comm)));
	if (actor->tty) {
		PUT("\"},\"interactive\":true,\"tty\":{\"char_device\":{\"major\":");
		out = number(out, actor->tty >> 20);
		PUT(",\"minor\":");
		out = number(out, actor->tty & 0xfffff);
		PUT("}}");
	} else {
		PUT("\"},\"interactive\":false");
	}
	return out;
}

static uint8_t *user(uint8_t *out, const struct hv_actor *actor)
{
	PUT(",\"user\":{\"id\":");
	out = quoted(out, actor->uid);
	PUT(",\"effective\":{\"id\":");
	out = quoted(out, actor->euid);
	PUT(",\"group\":{\"id\":");
	out = quoted(out, actor->egid);
	PUT("}}");
	if (actor->login_uid != UINT32_MAX) {
		PUT(",\"audit\":{\"id\":");
		out = quoted(out, actor->login_uid);
		*out++ = '}';
	}
	PUT("},\"group\":{\"id\":");
	out = quoted(out, actor->gid);
	*out++ = '}';
	return out;
}

#define NAMESPACE(name)                                       \
	do {                                                  \
		if (actor->ns_##name) {                       \
			PUT("\"" #name "\":\"");              \
			out = number(out, actor->ns_##name); \
			PUT("\",");                           \
		}                                             \
	} while (0)

static uint8_t *task_flags(uint8_t *out, uint32_t flags)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ 0x4, "exiting" }, { 0x10, "io_worker" }, { 0x20, "workqueue_worker" }, { 0x40, "forked_no_exec" },
		{ 0x100, "used_super_privileges" }, { 0x200, "dumped_core" }, { 0x400, "killed_by_signal" }, { 0x200000, "kernel_thread" },
	};

	PUT(",\"flags\":[");
	for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++)
		if (flags & names[index].bit) {
			*out++ = '"';
			out = text(out, names[index].name, strlen(names[index].name));
			PUT("\",");
		}
	return close_with(out, ']');
}

static uint8_t *own(uint8_t *out, const struct hv_header *header, const struct hv_actor *actor, struct span cgroup)
{
	PUT(",\"hypervigil\":{\"monotonic\":");
	out = quoted(out, header->time);
	PUT(",\"process\":{\"capabilities\":\"");
	out = hexadecimal(out, actor->capabilities, 16);
	PUT("\",\"namespaces\":{");
	NAMESPACE(mount);
	NAMESPACE(pid);
	NAMESPACE(user);
	NAMESPACE(network);
	NAMESPACE(ipc);
	NAMESPACE(uts);
	NAMESPACE(cgroup);
	out = close_with(out, '}');
	PUT(",\"cgroup\":{\"id\":");
	out = quoted(out, actor->cgroup);
	if (cgroup.length) {
		PUT(",\"path\":\"");
		out = string(out, cgroup.bytes, cgroup.length);
		*out++ = '"';
	}
	*out++ = '}';
	if (actor->session != UINT32_MAX) {
		PUT(",\"session\":");
		out = quoted(out, actor->session);
	}
	if (actor->task_flags & 0x200774)
		out = task_flags(out, actor->task_flags);
	return out;
}

static uint8_t *object(uint8_t *out, const struct hv_object *object)
{
	PUT("\"inode\":");
	out = quoted(out, object->inode);
	PUT(",\"device\":\"");
	out = number(out, object->device >> 20);
	*out++ = ':';
	out = number(out, object->device & 0xfffff);
	PUT("\",\"mode\":\"");
	for (int shift = 9; shift >= 0; shift -= 3)
		*out++ = '0' + (object->mode >> shift & 7);
	PUT("\",\"uid\":");
	out = quoted(out, object->uid);
	PUT(",\"gid\":");
	out = quoted(out, object->gid);
	PUT(",\"size\":");
	out = number(out, object->size);
	switch (object->mode & S_IFMT) {
	case S_IFREG: PUT(",\"type\":\"file\","); break;
	case S_IFDIR: PUT(",\"type\":\"dir\","); break;
	case S_IFLNK: PUT(",\"type\":\"symlink\","); break;
	default: PUT(","); break;
	}
	return out;
}

static uint8_t *before(uint8_t *out, const struct hv_credentials *credentials)
{
	PUT(",\"before\":{\"uid\":");
	out = quoted(out, credentials->uid);
	PUT(",\"euid\":");
	out = quoted(out, credentials->euid);
	PUT(",\"suid\":");
	out = quoted(out, credentials->suid);
	PUT(",\"gid\":");
	out = quoted(out, credentials->gid);
	PUT(",\"egid\":");
	out = quoted(out, credentials->egid);
	PUT(",\"sgid\":");
	out = quoted(out, credentials->sgid);
	PUT(",\"capabilities\":\"");
	out = hexadecimal(out, credentials->capabilities, 16);
	PUT("\"}");
	return out;
}

#define MEMBER(before_, span_)                                         \
	do {                                                           \
		struct span value_ = span_;                            \
		if (value_.length) {                                   \
			PUT(before_);                                  \
			out = string(out, value_.bytes, value_.length); \
			*out++ = '"';                                  \
		}                                                      \
	} while (0)

static uint8_t *exec_event(struct bench_json *json, uint8_t *out, const struct hv_exec *exec)
{
	const uint8_t *record = (const uint8_t *)exec;
	uint32_t flags = exec->header.flags;
	uint32_t severity = exec->error ? 20 : flags & (HV_EXEC_FILELESS | HV_EXEC_SCRIPT_FILELESS) ? 60 : 10;
	struct span arguments = slot(record, sizeof(*exec), exec->strings, HV_EXEC_ARGS);

	for (int index = 0; index < HV_EXEC_STRINGS; index++)
		if (exec->strings[index].flags)
			return NULL;
	out = begin(json, out, &exec->header, "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"exec\"",
		    exec->error, 0, severity);
	out = process(json, out, &exec->actor);
	MEMBER(",\"executable\":\"", slot(record, sizeof(*exec), exec->strings, HV_EXEC_EXECUTABLE));
	MEMBER(",\"working_directory\":\"", slot(record, sizeof(*exec), exec->strings, HV_EXEC_DIRECTORY));
	if (arguments.length) {
		size_t length = arguments.length - (arguments.bytes[arguments.length - 1] == 0);
		PUT(",\"args\":[\"");
		out = elements(out, arguments.bytes, length);
		PUT("\"],\"args_count\":");
		out = number(out, exec->args_count);
		PUT(",\"command_line\":\"");
		out = line(out, arguments.bytes, length);
		*out++ = '"';
	}
	*out++ = '}';
	out = user(out, &exec->actor);
	out = own(out, &exec->header, &exec->actor, slot(record, sizeof(*exec), exec->strings, HV_EXEC_CGROUP));
	MEMBER(",\"filename\":\"", slot(record, sizeof(*exec), exec->strings, HV_EXEC_FILENAME));
	MEMBER(",\"interpreter\":\"", slot(record, sizeof(*exec), exec->strings, HV_EXEC_INTERPRETER));
	if (flags & HV_EXEC_FILELESS)
		PUT(",\"fileless\":true");
	if (flags & HV_EXEC_MEMFD)
		PUT(",\"memfd\":true");
	if (flags & HV_EXEC_ARGS_TRUNCATED) {
		PUT(",\"args_truncated\":true,\"args_size\":");
		out = number(out, exec->args_size);
	}
	if (exec->old_tid != exec->actor.tid) {
		PUT(",\"calling_thread\":");
		out = number(out, exec->old_tid);
	}
	if (exec->executable.inode) {
		PUT(",\"executable\":{");
		out = close_with(object(out, &exec->executable), '}');
	}
	if (exec->script.inode) {
		PUT(",\"script\":{");
		out = close_with(object(out, &exec->script), '}');
	}
	if (flags & HV_EXEC_BEFORE)
		out = before(out, &exec->before);
	*out++ = '}';
	PUT("}}\n");
	return out;
}

static const uint8_t *last(const uint8_t *from, const uint8_t *end, uint8_t byte)
{
	return end > from ? memrchr(from, byte, end - from) : NULL;
}

/* The path is the actor's, and as user space looked nothing up it is flagged unreachable. */
static uint8_t *file_event(struct bench_json *json, uint8_t *out, const struct hv_file *file)
{
	const uint8_t *record = (const uint8_t *)file, *slash, *dot, *name;
	struct span path = slot(record, sizeof(*file), file->strings, HV_FILE_ACTOR);
	struct span inner = slot(record, sizeof(*file), file->strings, HV_FILE_INNER);
	const uint8_t *end = path.bytes + path.length;
	const char *classification;

	switch (file->action) {
	case HV_FILE_CREATE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"create\""; break;
	case HV_FILE_WRITE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"write\""; break;
	case HV_FILE_DELETE: classification = "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"deletion\"],\"action\":\"delete\""; break;
	default: return NULL;
	}
	if (!path.length || file->header.flags & HV_FILE_SPELLED || file->strings[HV_FILE_ACTOR].flags)
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
	if (file->action == HV_FILE_WRITE) {
		PUT(",\"write\":{\"operations\":");
		out = number(out, file->operations);
		PUT(",\"size_before\":");
		out = number(out, file->size_before);
		PUT(",\"first\":\"");
		out = boottime(json, out, file->first);
		PUT("\",\"last\":\"");
		out = boottime(json, out, file->last);
		*out++ = '"';
		if (file->header.flags & HV_FILE_IO_URING)
			PUT(",\"via\":\"io_uring\"");
		if (file->header.flags & HV_FILE_OPEN)
			PUT(",\"open\":true");
		else if (file->header.flags & HV_FILE_CLOSED)
			PUT(",\"open\":false");
		*out++ = '}';
	}
	PUT("}}\n");
	return out;
}

static uint8_t *exit_event(struct bench_json *json, uint8_t *out, const struct hv_exit *exit)
{
	uint32_t signal = exit->status & 0x7f;

	out = begin(json, out, &exit->header, "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"end\"],\"action\":\"exit\"", 0, 0, 10);
	out = process(json, out, &exit->actor);
	if (!signal) {
		PUT(",\"exit_code\":");
		out = number(out, exit->status >> 8 & 0xff);
	}
	PUT(",\"end\":\"");
	out = boottime(json, out, exit->header.time);
	PUT("\"}");
	out = user(out, &exit->actor);
	out = own(out, &exit->header, &exit->actor, (struct span){ 0 });
	if (signal) {
		PUT(",\"signal\":");
		out = number(out, signal);
		PUT(",\"core_dumped\":");
		if (exit->status & 0x80)
			PUT("true");
		else
			PUT("false");
	}
	PUT("}}}\n");
	return out;
}

static inline int whole(const struct hv_header *header, size_t size, size_t fixed, const struct hv_string *strings, int count)
{
	size_t bytes = fixed;

	if (header->size != size)
		return 0;
	for (int index = 0; index < count; index++)
		bytes += strings[index].length;
	return bytes <= size;
}

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
