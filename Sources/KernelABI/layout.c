#include <string.h>
#include "KernelABI.h"

/*
 * Numbers count up from 1 in the order in which record.h declares the fields, so
 * no two fields of a record have the same one; a test in Swift knows the order too.
 * A 64-bit field has its number in both halves, a 16-bit one in its only half.
 */
#define N32(field) ((field) = ++*next)
#define N16(field) ((field) = (__u16)++*next)
#define N64(field) (++*next, (field) = (__u64)*next << 32 | *next)

static void fill_header(struct hv_header *header, __u16 kind, __u32 *next)
{
	header->kind = kind;
	N16(header->flags);
	N64(header->sequence);
	N64(header->time);
	N16(header->ring);
	N16(header->cpu);
}

static void fill_actor(struct hv_actor *actor, __u32 *next)
{
	N64(actor->start);
	N64(actor->parent_start);
	N64(actor->cgroup);
	N64(actor->capabilities);
	N32(actor->pid);
	N32(actor->tid);
	N32(actor->parent_pid);
	N32(actor->uid);
	N32(actor->gid);
	N32(actor->euid);
	N32(actor->egid);
	N32(actor->suid);
	N32(actor->sgid);
	N32(actor->login_uid);
	N32(actor->session);
	N32(actor->tty);
	N32(actor->task_flags);
	N32(actor->ns_mount);
	N32(actor->ns_pid);
	N32(actor->ns_user);
	N32(actor->ns_network);
	N32(actor->ns_ipc);
	N32(actor->ns_uts);
	N32(actor->ns_cgroup);
	memcpy(actor->comm, "actor", 5);
	memcpy(actor->parent_comm, "0123456789abcdef", 16); /* full, without a NUL */
}

static void fill_object(struct hv_object *object, __u32 *next)
{
	N64(object->inode);
	N64(object->size);
	N64(object->mtime);
	N32(object->device);
	N32(object->generation);
	N32(object->mode);
	N32(object->links);
	N32(object->uid);
	N32(object->gid);
}

static void fill_credentials(struct hv_credentials *credentials, __u32 *next)
{
	N64(credentials->capabilities);
	N32(credentials->uid);
	N32(credentials->gid);
	N32(credentials->euid);
	N32(credentials->egid);
	N32(credentials->suid);
	N32(credentials->sgid);
}

/* String n is n + 1 times the letter 'a' + n, and its flags are n + 1. */
static __u32 fill_strings(struct hv_string *slots, int count, unsigned char *at)
{
	__u32 used = 0;

	for (int slot = 0; slot < count; slot++) {
		slots[slot].length = (__u16)(slot + 1);
		slots[slot].flags = (__u16)(slot + 1);
		memset(at + used, 'a' + slot, (size_t)slot + 1);
		used += (__u32)slot + 1;
	}
	return used;
}

static __u32 finish(unsigned char *record, const void *fixed, __u32 size, __u32 strings)
{
	memcpy(record, fixed, size);
	size += strings;
	memcpy(record + offsetof(struct hv_header, size), &size, sizeof(size));
	return size;
}

__u32 hv_layout_fill(__u16 kind, unsigned char *record)
{
	__u32 counter = 0, *next = &counter, strings = 0;

	switch (kind) {
	case HV_KIND_EXEC: {
		struct hv_exec exec = {0};

		fill_header(&exec.header, kind, next);
		fill_actor(&exec.actor, next);
		fill_object(&exec.executable, next);
		fill_object(&exec.script, next);
		fill_credentials(&exec.before, next);
		N64(exec.executable_ctime);
		N32(exec.args_count);
		N32(exec.args_size);
		N32(exec.error);
		N32(exec.old_tid);
		strings = fill_strings(exec.strings, HV_EXEC_STRINGS, record + sizeof(exec));
		return finish(record, &exec, sizeof(exec), strings);
	}
	case HV_KIND_FORK: {
		struct hv_fork fork = {0};

		fill_header(&fork.header, kind, next);
		fill_actor(&fork.actor, next);
		N64(fork.forker_start);
		N32(fork.forker_pid);
		return finish(record, &fork, sizeof(fork), 0);
	}
	case HV_KIND_CGROUP: {
		struct hv_cgroup cgroup = {0};

		fill_header(&cgroup.header, kind, next);
		N64(cgroup.cgroup);
		N64(cgroup.parent);
		N32(cgroup.action);
		strings = fill_strings(cgroup.strings, HV_CGROUP_STRINGS, record + sizeof(cgroup));
		return finish(record, &cgroup, sizeof(cgroup), strings);
	}
	case HV_KIND_NAMESPACE: {
		struct hv_namespace changed = {0};

		fill_header(&changed.header, kind, next);
		fill_actor(&changed.actor, next);
		N64(changed.asked);
		N32(changed.call);
		N32(changed.error);
		return finish(record, &changed, sizeof(changed), 0);
	}
	case HV_KIND_PROCESS: {
		struct hv_process process = {0};

		fill_header(&process.header, kind, next);
		fill_actor(&process.actor, next);
		fill_object(&process.executable, next);
		N64(process.executable_ctime);
		strings = fill_strings(process.strings, HV_PROCESS_STRINGS, record + sizeof(process));
		return finish(record, &process, sizeof(process), strings);
	}
	case HV_KIND_EXIT: {
		struct hv_exit ended = {0};

		fill_header(&ended.header, kind, next);
		fill_actor(&ended.actor, next);
		N32(ended.status);
		return finish(record, &ended, sizeof(ended), 0);
	}
	case HV_KIND_FILE: {
		struct hv_file file = {0};

		fill_header(&file.header, kind, next);
		fill_actor(&file.actor, next);
		fill_object(&file.object, next);
		fill_object(&file.target, next);
		N64(file.operation);
		N64(file.operations);
		N64(file.size_before);
		N64(file.first);
		N64(file.last);
		N64(file.value);
		N64(file.value_2);
		N32(file.action);
		N32(file.error);
		N32(file.watch);
		N32(file.directory_device);
		N32(file.via);
		strings = fill_strings(file.strings, HV_FILE_STRINGS, record + sizeof(file));
		return finish(record, &file, sizeof(file), strings);
	}
	case HV_KIND_RESULT: {
		struct hv_result result = {0};

		fill_header(&result.header, kind, next);
		N64(result.operation);
		N32(result.tid);
		N32(result.error);
		N64(result.value);
		fill_object(&result.object, next);
		return finish(record, &result, sizeof(result), 0);
	}
	case HV_KIND_MODULE: {
		struct hv_module module = {0};

		fill_header(&module.header, kind, next);
		fill_actor(&module.actor, next);
		fill_object(&module.file, next);
		N64(module.file_ctime);
		N64(module.taints);
		N32(module.action);
		N32(module.source);
		N32(module.error);
		N32(module.args_size);
		N32(module.wait);
		strings = fill_strings(module.strings, HV_MODULE_STRINGS, record + sizeof(module));
		return finish(record, &module, sizeof(module), strings);
	}
	default:
		return 0;
	}
}
