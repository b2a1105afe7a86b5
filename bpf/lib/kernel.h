/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel's types, as far as the programs read them. Kept by hand: only the
 * fields that are used, in any order; offsets and sizes are relocated at load
 * from the running kernel's BTF (CO-RE). A suffix ___word marks the shape that a
 * field has on other kernels; libbpf ignores what follows the three underscores.
 */
#ifndef HV_KERNEL_H
#define HV_KERNEL_H

/* bpf_tracing.h takes the kernel's names of registers where this is defined. */
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };
/* Helpers that came later than 5.10; whether one is there, the kernel's BTF tells. */
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158, /* 5.11 */
	BPF_FUNC_task_pt_regs = 175,         /* 5.15 */
};
#define HELPER_EXISTS(name) bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_##name)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

typedef struct { u32 val; } kuid_t;
typedef struct { u32 val; } kgid_t;
typedef struct { int counter; } atomic_t;
struct hlist_bl_node { struct hlist_bl_node *next, **pprev; };

struct ns_common { unsigned int inum; };
struct user_namespace { struct ns_common ns; };
struct uts_namespace { struct ns_common ns; };
struct ipc_namespace { struct ns_common ns; };
struct cgroup_namespace { struct ns_common ns; };
struct mnt_namespace { struct ns_common ns; };
struct pid_namespace { struct ns_common ns; };
struct net { struct ns_common ns; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid { unsigned int level; struct upid numbers[1]; };
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

typedef struct { u64 val; } kernel_cap_t; /* 6.3 */

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};
struct cred___before_6_3 { struct { u32 cap[2]; } cap_effective; };

struct kernfs_node {
	struct kernfs_node *__parent; /* 6.15 */
	const char *name;
	u64 id;
};
struct kernfs_node___before_6_15 { struct kernfs_node *parent; };
struct cgroup;
struct cgroup_subsys_state { struct cgroup *cgroup; };
struct cgroup_root { int hierarchy_id; };
struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
enum cgroup_subsys_id { memory_cgrp_id = 4, pids_cgrp_id = 11 };
struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

struct tty_driver { int major, minor_start; };
struct tty_struct {
	int index;
	struct tty_driver *driver;
};
struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	struct tty_struct *tty;
};

struct hlist_node { struct hlist_node *next; };
struct hlist_head { struct hlist_node *first; };
struct dentry;
struct inode;
struct file_system_type { int fs_flags; };
struct super_block {
	struct file_system_type *s_type;
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
};
struct timespec64 { s64 tv_sec; long tv_nsec; };
struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	s64 i_size;
	u32 i_generation;
	struct hlist_head i_dentry;
	s64 i_mtime_sec; /* 6.11 */
	u32 i_mtime_nsec;
	s64 i_ctime_sec; /* 6.11 */
	u32 i_ctime_nsec;
};
struct inode___6_6 { struct timespec64 __i_mtime, __i_ctime; };
struct inode___before_6_6 { struct timespec64 i_mtime, i_ctime; };
struct qstr {
	u32 hash, len;
	const unsigned char *name;
};
struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	unsigned char d_iname[32];
	union { struct hlist_node d_alias; } d_u;
};
struct dentry___7_0 { struct hlist_node d_alias; }; /* before that in the union d_u */
union shortname_store { unsigned char string[40]; };
struct dentry___6_14 { union shortname_store d_shortname; };
struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
typedef struct { long long counter; } atomic_long_t;
typedef struct { atomic_long_t refcnt; } file_ref_t;
struct file___before_6_12 { atomic_long_t f_count; };
struct file {
	file_ref_t f_ref;
	unsigned int f_mode;
	unsigned int f_flags;
	s64 f_pos;
	struct inode *f_inode;
	struct path f_path;
	struct cred *f_cred;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct { struct fdtable *fdt; };
struct fs_struct { struct path root, pwd; };
struct nameidata { struct path path; };
struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};
struct backing_file { struct path user_path; }; /* fs/file_table.c, 6.7: starts with the struct file */
struct kiocb {
	struct file *ki_filp;
	s64 ki_pos;
	int ki_flags;
};
struct renamedata {
	struct dentry *old_parent, *new_parent; /* 6.17 */
	struct dentry *old_dentry, *new_dentry;
};
struct renamedata___before_6_17 { struct inode *old_dir, *new_dir; };
struct iattr {
	unsigned int ia_valid;
	u16 ia_mode;
	kuid_t ia_uid;
	kgid_t ia_gid;
	s64 ia_size;
};
struct fileattr { u32 flags; };  /* 5.13 */
struct file_kattr { u32 flags; }; /* 6.17 */
struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

#if defined(__TARGET_ARCH_x86)
struct thread_info { u32 status; };
#else
struct thread_info { unsigned long flags; };
#endif
struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	int pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	__u64 self_exec_id;
	struct cred *real_cred, *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set *cgroups;
	struct nameidata *nameidata;
};

struct linux_binprm {
	struct file *file;
	int argc;
	const char *filename, *interp;
	char buf[256];
};

struct module {
	char name[56]; /* MODULE_NAME_LEN, 64 - sizeof(unsigned long) */
	bool sig_ok;
	unsigned long taints;
};
struct load_info { bool sig_ok; };
enum kernel_read_file_id { READING_MODULE = 2, READING_MODULE_COMPRESSED = 3 };

struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; };
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* include/linux/fs.h */
#define FMODE_READ 0x1u
#define FMODE_WRITE 0x2u
#define FMODE_CREATED 0x100000u /* since 4.19 */
#define FMODE_BACKING 0x3000000u /* bit 25 from 6.5, bit 24 later, when the other got another meaning: a hint only */
/* include/uapi/linux/magic.h */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define MSDOS_SUPER_MAGIC 0x4d44
#define TMPFS_MAGIC 0x01021994
#define BTRFS_SUPER_MAGIC 0x9123683e
#define FUSE_SUPER_MAGIC 0x65735546
#define V9FS_MAGIC 0x01021997
#define NFS_SUPER_MAGIC 0x6969
#define CIFS_SUPER_MAGIC 0xff534d42
#define CEPH_SUPER_MAGIC 0x00c36400
#define MAY_WRITE 2 /* include/linux/fs.h */
#define RENAME_EXCHANGE 2 /* include/uapi/linux/fs.h */
/* include/uapi/linux/stat.h */
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
/* include/linux/fs.h */
#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_KILL_SUID (1u << 11)
#define ATTR_KILL_SGID (1u << 12)
/* include/linux/mm.h, include/uapi/asm-generic/mman.h */
#define VM_WRITE 2ul
#define VM_SHARED 8ul
#define PROT_WRITE 2ul
#define MAP_TYPE 15ul
#define MAP_SHARED 1ul
#define MAP_SHARED_VALIDATE 3ul
/* include/linux/sched.h */
#define PF_IO_WORKER 0x10u
#define PF_KTHREAD 0x200000u
#define SIGNAL_GROUP_EXIT 0x4u /* include/linux/sched/signal.h */
/* include/uapi/asm-generic/errno-base.h */
#define ENOENT 2

#endif
