// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Changes of watched files, by hooks that see the object. Here: opened, written, mapped,
 * closed. names.h and rename.h: names that come, go and move; attributes.h; mounts.h; layers.h: what
 * overlayfs and nfsd do below all of those; refused.h: opens; spelled.h: all of it by tracepoints.
 */
#include "lib/changes.h"
#include "lib/hint.h"
#include "names.h"
#include "rename.h"
#include "attributes.h"
#include "mounts.h"
#include "layers.h"
#include "spelled.h"
#include "stores.h"
#include "refused.h"
#include "detail.h"

/*
 * int security_file_open(struct file *file) -- security/security.c
 * A file that this open made. What every open on the machine pays is a few direct loads:
 * what needs more is in functions of its own, so that no register is saved for it.
 */
static __noinline int opened_new(struct file *file)
{
	struct dentry *directory = file->f_path.dentry->d_parent;
	struct inode *above = directory->d_inode;
	__u64 word = above ? JUDGE_DIRECT(above, judge_name(directory)) : WATCH_NOTHING;

	return watch_hit(word) ? file_created_typed(file, word) : 0;
}

static __always_inline int on_open(struct file *file)
{
	if (file->f_mode & FMODE_CREATED)
		return opened_new(file);
	return settings.module_hints ? hint_open(file) : 0;
}

SEC("fentry/security_file_open")
int BPF_PROG(file_open_fentry, struct file *file)
{
	return on_open(file);
}

SEC("lsm/file_open")
int BPF_PROG(file_open_lsm, struct file *file, int ret)
{
	on_open(file);
	return 0;
}

/*
 * The choke point of a change: the functions that set a file's time stamps run on
 * writes only, and on the first store through a shared mapping. Which of them are
 * attached is the loader's choice, so that each write passes exactly one
 * (Probes/Hook.swift, changeSets). All that unwatched writes pay is here: three loads and
 * one look-up.
 */
static __always_inline int on_change(struct file *file)
{
	struct inode *inode = file->f_inode;
	__u32 generation = inode->i_generation;
	__u64 identity = inode_identity(inode->i_ino, generation), word;

	if (!verdict_kept_of(identity, inode->i_sb->s_dev, generation, &word)) {
		/* Pipes and devices have time stamps as well. */
		if ((inode->i_mode & S_IFMT) != S_IFREG)
			return 0;
		word = judge_layer(inode, file->f_path.dentry);
	}
	if (!watch_hit_by_write(word)) {
		/* A layer below: the change is one of the overlay's file as well. */
		if (!watch_overlays.any || !file_is_layers(file, inode) || !file_overlay_has_entries(file))
			return 0;
		word = judge_overlaid(file);
		if (!watch_hit_by_write(word))
			return 0;
	}
	return file_changed_of(file, identity, word, false, true);
}

/* int file_update_time(struct file *file) -- fs/inode.c */
SEC("fentry/file_update_time")
int BPF_PROG(file_change_update_time, struct file *file)
{
	return on_change(file);
}

/* static int file_modified_flags(struct file *file, int flags) -- fs/inode.c, 6.0 */
SEC("fentry/file_modified_flags")
int BPF_PROG(file_change_modified_flags, struct file *file)
{
	return on_change(file);
}

/* int file_modified(struct file *file) -- fs/inode.c */
SEC("fentry/file_modified")
int BPF_PROG(file_change_modified, struct file *file)
{
	return on_change(file);
}

/* int kiocb_modified(struct kiocb *iocb) -- fs/inode.c, 6.0 */
SEC("fentry/kiocb_modified")
int BPF_PROG(file_change_kiocb, struct kiocb *iocb)
{
	return on_change(iocb->ki_filp);
}

/* static int file_update_time_flags(struct file *file, unsigned int flags) -- fs/inode.c, 7.0 */
SEC("fentry/file_update_time_flags")
int BPF_PROG(file_change_update_time_flags, struct file *file)
{
	return on_change(file);
}

/*
 * The last close. int security_file_release(struct file *file), 6.9, or
 * void __fput(struct file *file) -- fs/file_table.c. The path is still valid.
 */
static __noinline int release_written(struct file *file)
{
	return handle_known(file) ? file_closed_typed(file) : 0;
}

static __always_inline int on_release(struct file *file)
{
	return file->f_mode & FMODE_WRITE ? release_written(file) : 0;
}

SEC("fentry/__fput")
int BPF_PROG(file_close_fentry, struct file *file)
{
	return on_release(file);
}

SEC("lsm/file_release")
int BPF_PROG(file_close_lsm, struct file *file)
{
	on_release(file);
	return 0;
}

/*
 * int security_mmap_file(struct file *file, unsigned long prot, unsigned long flags); the LSM hook has
 * (file, reqprot, prot, flags). A handle that can't be written to is refused after this.
 */
static __noinline int file_mapped(struct file *file)
{
	struct path *path = file_user_path(file);
	struct act act = { .action = HV_FILE_MMAP_WRITE };

	act.dentry = BPF_CORE_READ(path, dentry);
	act.word = judge_dentry(act.dentry);
	if (!watch_hit(act.word))
		return 0;
	act.mount = BPF_CORE_READ(path, mnt);
	return act_send(&act);
}

static __always_inline int on_map(struct file *file, unsigned long protection, unsigned long flags)
{
	if (!file || !(protection & PROT_WRITE) || ((flags & MAP_TYPE) != MAP_SHARED && (flags & MAP_TYPE) != MAP_SHARED_VALIDATE))
		return 0;
	if (!(file->f_mode & FMODE_WRITE) || (file->f_inode->i_mode & S_IFMT) != S_IFREG)
		return 0;
	return file_mapped(file);
}

SEC("fentry/security_mmap_file")
int BPF_PROG(file_mmap_fentry, struct file *file, unsigned long protection, unsigned long flags)
{
	return on_map(file, protection, flags);
}

SEC("lsm/mmap_file")
int BPF_PROG(file_mmap_lsm, struct file *file, unsigned long asked, unsigned long protection, unsigned long flags)
{
	on_map(file, protection, flags);
	return 0;
}

/* int security_file_mprotect(struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot) */
static __always_inline int on_protect(struct vm_area_struct *area, unsigned long protection)
{
	struct file *file;

	if (!(protection & PROT_WRITE) || !area || (area->vm_flags & (VM_SHARED | VM_WRITE)) != VM_SHARED)
		return 0;
	file = area->vm_file;
	return file ? on_map(file, protection, MAP_SHARED) : 0;
}

SEC("fentry/security_file_mprotect")
int BPF_PROG(file_mprotect_fentry, struct vm_area_struct *area, unsigned long asked, unsigned long protection)
{
	return on_protect(area, protection);
}

SEC("lsm/file_mprotect")
int BPF_PROG(file_mprotect_lsm, struct vm_area_struct *area, unsigned long asked, unsigned long protection, int ret)
{
	on_protect(area, protection);
	return 0;
}

/*
 * int vfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len) -- fs/open.c
 * Where the file system sets no time stamps by the functions above: vfat, and tmpfs on 5.10.
 */
SEC("fentry/vfs_fallocate")
int BPF_PROG(file_fallocate, struct file *file)
{
	unsigned long magic = file->f_inode->i_sb->s_magic;

	return magic == MSDOS_SUPER_MAGIC || (magic == TMPFS_MAGIC && settings.unstamped_tmpfs) ? on_change(file) : 0;
}

/*
 * int security_file_permission(struct file *file, int mask) -- security/security.c
 * Runs on reads as well: attached only while a file system is watched whose writes set no
 * time stamps by those functions (btrfs, FUSE, 9p, NFS).
 */
static __always_inline int on_permission(struct file *file, int mask)
{
	__u32 way;

	if (!(mask & MAY_WRITE))
		return 0;
	switch (file->f_inode->i_sb->s_magic) {
	case BTRFS_SUPER_MAGIC:
		/* These set time stamps there too. */
		way = way_of_call(current_call(), syscall_is_compat());
		return way == HV_VIA_FALLOCATE || way == HV_VIA_REFLINK ? 0 : on_change(file);
	case FUSE_SUPER_MAGIC: case V9FS_MAGIC: case NFS_SUPER_MAGIC: case CIFS_SUPER_MAGIC: case CEPH_SUPER_MAGIC:
		return on_change(file);
	}
	return 0;
}

SEC("fentry/security_file_permission")
int BPF_PROG(file_permission_fentry, struct file *file, int mask)
{
	return on_permission(file, mask);
}

SEC("lsm/file_permission")
int BPF_PROG(file_permission_lsm, struct file *file, int mask, int ret)
{
	if (file)
		on_permission(file, mask);
	return 0;
}

/* Files without storage, which set no time stamps: sysfs and cgroups, /proc, debugfs. */

/* ssize_t kernfs_fop_write_iter(struct kiocb *iocb, struct iov_iter *iter) -- fs/kernfs/file.c */
SEC("fentry/kernfs_fop_write_iter")
int BPF_PROG(file_write_kernfs, struct kiocb *iocb)
{
	return on_change(iocb->ki_filp);
}

/* ssize_t proc_reg_write(struct file *file, const char __user *buf, size_t count, loff_t *ppos) -- fs/proc/inode.c */
SEC("fentry/proc_reg_write")
int BPF_PROG(file_write_proc, struct file *file)
{
	return on_change(file);
}

/* ssize_t full_proxy_write(struct file *file, ...), and what is opened without that -- fs/debugfs/file.c */
SEC("fentry/full_proxy_write")
int BPF_PROG(file_write_debugfs, struct file *file)
{
	return on_change(file);
}

SEC("fentry/debugfs_attr_write")
int BPF_PROG(file_write_debugfs_attribute, struct file *file)
{
	return on_change(file);
}

/*
 * ssize_t proc_sys_write(struct kiocb *iocb, struct iov_iter *iter) -- fs/proc/proc_sysctl.c
 * Inodes below /proc/sys come and go with the kernel's caches, and a container writes the
 * host's parameters through a procfs of its own: all are sent, and the name decides.
 */
SEC("fexit/proc_sys_write")
int BPF_PROG(file_write_sysctl, struct kiocb *iocb, void *iterator, long result)
{
	struct act act = { .action = HV_FILE_PARAMETER };
	struct file *file = BPF_CORE_READ(iocb, ki_filp);

	if (result < 0)
		act.error = result;
	else
		act.value = result;
	act.dentry = BPF_CORE_READ(file, f_path.dentry);
	act.mount = BPF_CORE_READ(file, f_path.mnt);
	return act_send(&act);
}

/* Identities of this process's own open handles, for the watch set: `generation` can't be had from user space everywhere. */
SEC("iter/task_file")
int file_identities(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;
	struct hv_identity identity = {};

	if (!file || !task || task->tgid != (int)settings.own_pid)
		return 0;
	identity.fd = ctx->fd;
	inode_key(&identity.key, file->f_inode);
	bpf_seq_write(ctx->meta->seq, &identity, sizeof(identity));
	return 0;
}
