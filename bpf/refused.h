/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Opens for writing that the permission bits or an ACL refuse. An open that is let in pays
 * nothing for it: generic_permission() (fs/namei.c) asks for a capability only once the bits
 * have said no. What is refused otherwise (immutable, read-only file systems, programs that
 * run, security modules) passes no function of its own.
 */
#ifndef HV_REFUSED_H
#define HV_REFUSED_H

#include "names.h"
#include "lib/file_opened.h"

#define CAP_DAC_OVERRIDE 1 /* include/uapi/linux/capability.h */
/* include/uapi/asm-generic/fcntl.h */
#define O_PATH 010000000

/* The name by which the walk at hand came to an inode; else one that it has, and no mount. */
static __always_inline void name_of_walk(struct act *act, struct inode *inode)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct nameidata *walk = NULL;
	struct dentry *dentry; /* not through the struct, which is ours: CO-RE would look for it in the kernel */

	if (bpf_core_field_exists(task->nameidata) && bpf_core_type_exists(struct nameidata))
		walk = BPF_CORE_READ(task, nameidata);
	if (walk) {
		dentry = BPF_CORE_READ(walk, path.dentry);
		if (BPF_CORE_READ(dentry, d_inode) == inode) {
			act->dentry = dentry;
			act->mount = BPF_CORE_READ(walk, path.mnt);
			return;
		}
	}
	act->dentry = inode_alias(inode);
	act->mount = NULL;
}

/* A file that this task may not write to. Told where its system call is an open that asks to. */
__noinline int write_refused(__u64 address)
{
	struct inode *inode = (struct inode *)address;
	__u32 number = current_call(), key;
	struct act act = {};
	struct scratch *slot;
	struct hv_file *record;
	__u64 flags;

	if (number >= FILE_CALLS_MAX || TASK_READ(current_task(), flags) & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	key = CALL_KEY(number, syscall_is_compat());
	if (file_call(key)->class != CALL_OPEN || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	flags = flags_of_open(call_registers(), key);
	if (flags & O_PATH || !(flags & (O_ACCMODE | O_TRUNC)))
		return 0;
	name_of_walk(&act, inode);
	if (!act.dentry)
		return 0;
	act.word = judge_object(inode, act.dentry);
	if (!watch_hit(act.word) || unwanted(act.word, HV_FILE_WRITE))
		return 0;
	slot = record_begin(HV_FILE_WRITE, act.word);
	if (!slot)
		return 0;
	record = (void *)slot->record;
	actor_is_current(record);
	record->error = -EACCES;
	record->first = record->last = record->header.time;
	record->size_before = ~0ULL;
	object_fill(&record->object, inode);
	put_paths(slot, act.dentry, act.mount, HV_FILE_INNER);
	record_send(slot);
	return 0;
}

/*
 * bool capable_wrt_inode_uidgid(struct mnt_idmap *, const struct inode *inode, int cap) -- kernel/capability.c;
 * without the first before 5.12. Of a bool only the low byte is one.
 */
SEC("fexit/capable_wrt_inode_uidgid")
int file_refused_open(unsigned long long *context)
{
	struct inode *inode;
	__u64 capability, capable;

	if (settings.result_at[HV_AT_CAPABLE] == 2) {
		inode = (void *)TYPED_ARGUMENT(context, 0);
		capability = TYPED_ARGUMENT(context, 1);
		capable = TYPED_ARGUMENT(context, 2);
	} else {
		inode = (void *)TYPED_ARGUMENT(context, 1);
		capability = TYPED_ARGUMENT(context, 2);
		capable = TYPED_ARGUMENT(context, 3);
	}
	if (capable & 0xff || (__u32)capability != CAP_DAC_OVERRIDE)
		return 0;
	return write_refused(address_number(inode));
}

#endif
