// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Kernel modules: load (done and refused), unload, request. All of them go through the priority ring. */
#define SCRATCH_MAP hv_scratch_module
#define HV_SCRATCH_RECORD 32768
#define HV_SCRATCH_STRING 8192
#define HV_SCRATCH_LEVELS 4
#include "lib/ring.h"
#include "lib/task.h"
#include "lib/path.h"
#include "lib/handle.h"
#include "lib/hint.h"
#include "lib/syscall.h"

#define MODULE_NAME_BYTES 56
#define MODULE_ARGS_MAX 8192 /* as HV_SCRATCH_STRING; the kernel itself allows a page or so (strndup_user, kernel/module) */

/* What is known of a load or unload that a task is in the middle of. */
struct pending {
	struct kept_file file;
	__u64 taints;
	__u32 args_size;
	__u32 flags; /* HV_MODULE_* */
	struct hv_string args;
	__u32 have_args;
	char name[MODULE_NAME_BYTES];
	__u8 args_bytes[MODULE_ARGS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64); /* task pointer: a thread's exec changes its tid */
	__type(value, struct pending);
} hv_module_pending SEC(".maps");

/* Only zeroes: what a new entry starts as, too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pending);
} hv_module_zero SEC(".maps");

static __always_inline struct pending *pending_get(bool make)
{
	__u64 task = (__u64)current_task();
	__u32 zero = 0;
	struct pending *found = bpf_map_lookup_elem(&hv_module_pending, &task), *empty;

	if (found || !make)
		return found;
	empty = bpf_map_lookup_elem(&hv_module_zero, &zero);
	if (!empty)
		return NULL;
	bpf_map_update_elem(&hv_module_pending, &task, empty, BPF_ANY);
	return bpf_map_lookup_elem(&hv_module_pending, &task);
}

/* int security_file_open(struct file *file) -- security/security.c */
SEC("fentry/security_file_open")
int BPF_PROG(module_open_fentry, struct file *file)
{
	return hint_open(file);
}

SEC("lsm/file_open")
int BPF_PROG(module_open_lsm, struct file *file, int ret)
{
	hint_open(file);
	return 0;
}

static __always_inline int on_read_file(struct file *file, int id)
{
	struct pending *pending;

	if (!(bpf_core_enum_value_exists(enum kernel_read_file_id, READING_MODULE) && id == (int)bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE)) &&
	    !(bpf_core_enum_value_exists(enum kernel_read_file_id, READING_MODULE_COMPRESSED) && id == (int)bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE_COMPRESSED)))
		return 0;
	pending = pending_get(true);
	if (pending)
		keep_file(&pending->file, file);
	return 0;
}

/* int security_kernel_read_file(struct file *file, enum kernel_read_file_id id, bool contents) -- security/security.c */
SEC("fentry/security_kernel_read_file")
int BPF_PROG(module_file_fentry, struct file *file, int id)
{
	return file ? on_read_file(file, id) : 0;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(module_file_lsm, struct file *file, int id, bool contents, int ret)
{
	if (file)
		on_read_file(file, id);
	return 0;
}

static __always_inline struct hv_string read_arguments(void *to, const void *from)
{
	long length = bpf_probe_read_user_str(to, MODULE_ARGS_MAX, from);

	if (length <= 0)
		return string_slot(0, HV_STRING_FAULT);
	length = (length - 1) & (MODULE_ARGS_MAX - 1);
	return string_slot(length, length == MODULE_ARGS_MAX - 1 ? HV_STRING_TRUNCATED : 0);
}

/*
 * int load_module(struct load_info *info, const char __user *uargs, int flags) -- kernel/module
 * The one place where the arguments are still whole: at module_load, parse_args()
 * has cut them with NULs.
 */
SEC("fentry/load_module")
int BPF_PROG(module_arguments, struct load_info *info, const char *uargs)
{
	struct pending *pending = pending_get(true);

	if (!pending)
		return 0;
	pending->args = read_arguments(pending->args_bytes, uargs);
	pending->have_args = 1;
	return 0;
}

/* TP_PROTO(struct module *mod) -- include/trace/events/module.h */
SEC("tp_btf/module_load")
int BPF_PROG(module_loaded, struct module *module)
{
	struct pending *pending = pending_get(true);

	if (!pending)
		return 0;
	bpf_core_read(pending->name, sizeof(pending->name), &module->name);
	pending->taints = module->taints;
	pending->flags |= HV_MODULE_LOADED;
	if (bpf_core_field_exists(module->sig_ok)) {
		pending->flags |= HV_MODULE_SIGNED_KNOWN;
		if (BPF_CORE_READ(module, sig_ok))
			pending->flags |= HV_MODULE_SIGNED;
	}
	return 0;
}

/* TP_PROTO(struct module *mod) -- include/trace/events/module.h. The name that the kernel removes, whatever the caller's memory says later. */
SEC("tp_btf/module_free")
int BPF_PROG(module_freed, struct module *module)
{
	struct pending *pending = pending_get(true);

	if (pending)
		bpf_core_read(pending->name, sizeof(pending->name), &module->name);
	return 0;
}

static __always_inline struct hv_module *record_begin(struct scratch *slot, __u32 action)
{
	struct hv_module *record = (void *)slot->record;

	slot->used = sizeof(*record);
	header_begin(&record->header, HV_KIND_MODULE);
	actor_fill(&record->actor, current_task());
	__builtin_memset(&record->file, 0, sizeof(record->file));
	record->file_ctime = 0;
	record->taints = 0;
	record->action = action;
	record->source = HV_MODULE_SOURCE_UNKNOWN;
	record->error = 0;
	record->args_size = 0;
	record->wait = 0;
	__builtin_memset(record->strings, 0, sizeof(record->strings));
	return record;
}

static __always_inline void record_send(struct scratch *slot, struct hv_module *record)
{
	ring_send(HV_RING_PRIORITY, &record->header, slot->used & (HV_SCRATCH_RECORD - 1));
	scratch_put(slot);
}

/* The kernel's own fixed-size name; its end is the first NUL. */
static __always_inline struct hv_string put_name(struct scratch *slot, const char *name)
{
	__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);
	long length = bpf_probe_read_kernel_str(&slot->record[at], MODULE_NAME_BYTES, name);

	if (length <= 0)
		return string_slot(0, HV_STRING_FAULT);
	length = (length - 1) & 63;
	slot->used = at + length;
	return string_slot(length, 0);
}

static __always_inline void put_kept(struct scratch *slot, struct hv_module *record, struct kept_file *file, __u32 mounted, __u32 inner)
{
	record->file = file->object;
	record->file_ctime = file->ctime;
	record->strings[mounted] = put_bytes(slot, file->mounted_path, file->mounted.length, file->mounted.flags);
	if (inner < HV_MODULE_STRINGS)
		record->strings[inner] = put_bytes(slot, file->inner_path, file->inner.length, file->inner.flags);
}

/* At the end of init_module or finit_module. `source` says which; `descriptor` is finit_module's. */
static __noinline int load_ended(__u32 source, const void *arguments, __u32 descriptor, int result)
{
	struct scratch *slot = scratch_get();
	struct pending *pending = pending_get(false);
	__u64 task = (__u64)current_task();
	struct hv_module *record;

	if (!slot) {
		ring_no_scratch(HV_RING_PRIORITY, HV_KIND_MODULE);
		goto out;
	}
	record = record_begin(slot, HV_MODULE_LOAD);
	record->source = source;
	record->error = result;
	if (pending) {
		record->taints = pending->taints;
		record->header.flags = pending->flags;
		if (pending->flags & HV_MODULE_LOADED)
			record->strings[HV_MODULE_NAME] = put_name(slot, pending->name);
	}
	if (pending && pending->have_args) {
		record->strings[HV_MODULE_ARGS] = put_bytes(slot, pending->args_bytes, pending->args.length, pending->args.flags);
	} else {
		/* Refused before the kernel looked at them. */
		__u32 at = slot->used & (HV_SCRATCH_RECORD - 1);
		struct hv_string read = read_arguments(&slot->record[at], arguments);

		slot->used = at + read.length;
		record->strings[HV_MODULE_ARGS] = read;
	}
	record->args_size = record->strings[HV_MODULE_ARGS].length;
	if (source == HV_MODULE_SOURCE_FILE) {
		if (pending && pending->file.object.inode) {
			put_kept(slot, record, &pending->file, HV_MODULE_FILE, HV_MODULE_FILE_INNER);
		} else {
			struct file *file = file_of_descriptor(descriptor);

			if (file) {
				object_fill(&record->file, BPF_CORE_READ(file, f_inode));
				record->file_ctime = inode_ctime(BPF_CORE_READ(file, f_inode), false);
				record->strings[HV_MODULE_FILE] = put_path_mounted(slot, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
				record->strings[HV_MODULE_FILE_INNER] = put_path_inner(slot, BPF_CORE_READ(file, f_path.dentry));
			}
		}
	} else {
		__u32 process = record->actor.pid;
		struct hint *hint = bpf_map_lookup_elem(&hv_module_hints, &process);

		if (hint && hint->start == record->actor.start)
			put_kept(slot, record, &hint->file, HV_MODULE_HINT, HV_MODULE_STRINGS);
	}
	record_send(slot, record);
out:
	if (pending)
		bpf_map_delete_elem(&hv_module_pending, &task);
	return 0;
}

static __noinline int unload_ended(const void *name, int result)
{
	struct scratch *slot = scratch_get();
	struct pending *pending = pending_get(false);
	__u64 task = (__u64)current_task();
	struct hv_module *record;

	if (!slot) {
		ring_no_scratch(HV_RING_PRIORITY, HV_KIND_MODULE);
		goto out;
	}
	record = record_begin(slot, HV_MODULE_UNLOAD);
	record->error = result;
	if (pending && !result && pending->name[0])
		record->strings[HV_MODULE_NAME] = put_name(slot, pending->name);
	else
		record->strings[HV_MODULE_NAME] = put_user_string(slot, name);
	record_send(slot, record);
out:
	if (pending)
		bpf_map_delete_elem(&hv_module_pending, &task);
	return 0;
}

/* SYSCALL_DEFINE3(init_module, umod, len, uargs) -- kernel/module */
SEC("fexit/" SYSCALL "init_module")
int module_init(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return load_ended(HV_MODULE_SOURCE_MEMORY, (void *)syscall_argument_3(regs), 0, result);
}

/* SYSCALL_DEFINE3(finit_module, fd, uargs, flags) -- kernel/module */
SEC("fexit/" SYSCALL "finit_module")
int module_finit(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return load_ended(HV_MODULE_SOURCE_FILE, (void *)syscall_argument_2(regs), syscall_argument_1(regs), result);
}

/* SYSCALL_DEFINE2(delete_module, name_user, flags) -- kernel/module */
SEC("fexit/" SYSCALL "delete_module")
int module_delete(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return unload_ended((void *)syscall_argument_1(regs), result);
}

SEC("fexit/" SYSCALL_IA32 "init_module")
int module_init_compat(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return load_ended(HV_MODULE_SOURCE_MEMORY, (void *)compat_argument_3(regs), 0, result);
}

SEC("fexit/" SYSCALL_IA32 "finit_module")
int module_finit_compat(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return load_ended(HV_MODULE_SOURCE_FILE, (void *)compat_argument_2(regs), compat_argument_1(regs), result);
}

SEC("fexit/" SYSCALL_IA32 "delete_module")
int module_delete_compat(unsigned long long *context)
{
	struct pt_regs *regs = CONTEXT_REGISTERS(context);
	int result = CONTEXT_RESULT(context);

	return unload_ended((void *)compat_argument_1(regs), result);
}

/* Where the kernel refuses fexit: TP_PROTO(struct pt_regs *regs, long ret) -- include/trace/events/syscalls.h */
SEC("tp_btf/sys_exit")
int BPF_PROG(module_tracepoint, struct pt_regs *regs, long result)
{
	unsigned long number = syscall_number(regs);

	if (syscall_is_compat()) {
		if (number == NR_COMPAT_INIT_MODULE)
			return load_ended(HV_MODULE_SOURCE_MEMORY, (void *)compat_argument_3(regs), 0, result);
		if (number == NR_COMPAT_FINIT_MODULE)
			return load_ended(HV_MODULE_SOURCE_FILE, (void *)compat_argument_2(regs), compat_argument_1(regs), result);
		if (number == NR_COMPAT_DELETE_MODULE)
			return unload_ended((void *)compat_argument_1(regs), result);
	} else {
		if (number == NR_INIT_MODULE)
			return load_ended(HV_MODULE_SOURCE_MEMORY, (void *)syscall_argument_3(regs), 0, result);
		if (number == NR_FINIT_MODULE)
			return load_ended(HV_MODULE_SOURCE_FILE, (void *)syscall_argument_2(regs), syscall_argument_1(regs), result);
		if (number == NR_DELETE_MODULE)
			return unload_ended((void *)syscall_argument_1(regs), result);
	}
	return 0;
}

/* TP_PROTO(char *name, bool wait, unsigned long ip) -- include/trace/events/module.h */
SEC("tp_btf/module_request")
int BPF_PROG(module_request, char *name, bool wait)
{
	struct scratch *slot = scratch_get();
	struct hv_module *record;

	if (!slot) {
		ring_no_scratch(HV_RING_PRIORITY, HV_KIND_MODULE);
		return 0;
	}
	record = record_begin(slot, HV_MODULE_REQUEST);
	record->header.flags = HV_MODULE_RESULT_UNKNOWN;
	record->wait = wait;
	record->strings[HV_MODULE_NAME] = put_kernel_string(slot, name);
	record_send(slot, record);
	return 0;
}
