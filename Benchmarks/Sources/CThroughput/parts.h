/* What events of several kinds share. */
#ifndef PARTS_H
#define PARTS_H

#include <string.h>
#include <sys/stat.h>

#include "CThroughput.h"
#include "slots.h"
#include "text.h"
#include "times.h"

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

static inline uint8_t *begin(struct bench_json *json, uint8_t *out, const struct hv_header *header, const char *classification, int32_t error,
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

static inline uint8_t *process(struct bench_json *json, uint8_t *out, const struct hv_actor *actor)
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

static inline uint8_t *user(uint8_t *out, const struct hv_actor *actor)
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

static inline uint8_t *task_flags(uint8_t *out, uint32_t flags)
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

static inline uint8_t *own(uint8_t *out, const struct hv_header *header, const struct hv_actor *actor, struct span cgroup)
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

static inline uint8_t *type(uint8_t *out, uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: PUT("\"type\":\"file\","); break;
	case S_IFDIR: PUT("\"type\":\"dir\","); break;
	case S_IFLNK: PUT("\"type\":\"symlink\","); break;
	case S_IFCHR: PUT("\"type\":\"character\","); break;
	case S_IFBLK: PUT("\"type\":\"block\","); break;
	case S_IFIFO: PUT("\"type\":\"fifo\","); break;
	case S_IFSOCK: PUT("\"type\":\"socket\","); break;
	}
	return out;
}

/* An inode's fields, each with a comma behind it. */
static inline uint8_t *object(uint8_t *out, const struct hv_object *object)
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
	/* All ones: not known. */
	if (object->size != UINT64_MAX) {
		PUT(",\"size\":");
		out = count(out, object->size);
	}
	*out++ = ',';
	return type(out, object->mode);
}

static inline uint8_t *before(uint8_t *out, const struct hv_credentials *credentials)
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

#endif
