/* Execs and exits. */
#define _GNU_SOURCE
#include "events.h"
#include "parts.h"

#define EXEC_SLOT(index) slot(record, sizeof(*exec), exec->strings, index, HV_EXEC_STRINGS)

static __attribute__((noinline)) uint8_t *elements(uint8_t *out, const uint8_t *from, size_t count)
{
	return escape(out, from, count, NUL_ELEMENT);
}

static __attribute__((noinline)) uint8_t *line(uint8_t *out, const uint8_t *from, size_t count)
{
	return escape(out, from, count, NUL_SPACE);
}

uint8_t *exec_event(struct bench_json *json, uint8_t *out, const struct hv_exec *exec)
{
	const uint8_t *record = (const uint8_t *)exec;
	uint32_t flags = exec->header.flags;
	uint32_t severity = exec->error ? 20 : flags & (HV_EXEC_FILELESS | HV_EXEC_SCRIPT_FILELESS) ? 60 : 10;
	struct span arguments = EXEC_SLOT(HV_EXEC_ARGS);

	for (int index = 0; index < HV_EXEC_STRINGS; index++)
		if (exec->strings[index].flags)
			return NULL;
	out = begin(json, out, &exec->header, "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"exec\"",
		    exec->error, 0, severity);
	out = process(json, out, &exec->actor);
	MEMBER(",\"executable\":\"", EXEC_SLOT(HV_EXEC_EXECUTABLE));
	MEMBER(",\"working_directory\":\"", EXEC_SLOT(HV_EXEC_DIRECTORY));
	if (arguments.length) {
		size_t length = arguments.length - (arguments.bytes[arguments.length - 1] == 0);
		PUT(",\"args\":[\"");
		out = elements(out, arguments.bytes, length);
		PUT("\"],\"args_count\":");
		out = number(out, exec->args_count);
		PUT(",\"command_line\":\"");
		out = line(out, arguments.bytes, length);
		*out++ = '"';
	} else if (!exec->error || exec->args_count) {
		PUT(",\"args\":[],\"args_count\":");
		out = number(out, exec->args_count);
	}
	*out++ = '}';
	out = user(out, &exec->actor);
	out = own(out, &exec->header, &exec->actor, EXEC_SLOT(HV_EXEC_CGROUP));
	MEMBER(",\"filename\":\"", EXEC_SLOT(HV_EXEC_FILENAME));
	MEMBER(",\"interpreter\":\"", EXEC_SLOT(HV_EXEC_INTERPRETER));
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
	if (exec->script.inode || flags & HV_EXEC_SCRIPT_FILELESS) {
		PUT(",\"script\":{");
		if (exec->script.inode)
			out = object(out, &exec->script);
		if (flags & HV_EXEC_SCRIPT_FILELESS)
			PUT("\"fileless\":true");
		out = close_with(out, '}');
	}
	if (flags & HV_EXEC_BEFORE)
		out = before(out, &exec->before);
	*out++ = '}';
	PUT("}}\n");
	return out;
}

uint8_t *exit_event(struct bench_json *json, uint8_t *out, const struct hv_exit *exit)
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
