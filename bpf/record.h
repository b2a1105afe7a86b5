/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one ABI: every record that crosses from the kernel to user space.
 *
 * A record is a fixed part (one of the structs below, each starting with
 * struct hv_header) followed by its strings, back to back in slot order,
 * without NULs or padding between them. Each string slot tells its length.
 * Numbers are in the byte order of the host. Times are CLOCK_BOOTTIME in
 * nanoseconds. Every struct is free of implicit padding, which the asserts at
 * the end prove, so that both compilers agree on it.
 */
#ifndef HV_RECORD_H
#define HV_RECORD_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define HV_PATH_MAX 4096   /* bytes of one path; a longer one is cut at the front and flagged */
#define HV_ARGS_MAX 32768  /* bytes of arguments; more are counted, not carried */
#define HV_RINGS_MAX 16    /* ring 0 is the priority ring, 1... the bulk rings */
#define HV_KINDS_MAX 16

enum hv_kind {
	HV_KIND_EXEC = 1,   /* struct hv_exec, also a failed one */
	HV_KIND_FORK = 2,   /* struct hv_fork */
	HV_KIND_EXIT = 3,   /* struct hv_exit */
	HV_KIND_FILE = 4,   /* struct hv_file */
	HV_KIND_RESULT = 5, /* struct hv_result: how the hv_file of the same operation ended */
	HV_KIND_MODULE = 6, /* struct hv_module */
	HV_KIND_CGROUP = 7, /* struct hv_cgroup */
	HV_KIND_NAMESPACE = 8, /* struct hv_namespace */
	HV_KIND_PROCESS = 9, /* struct hv_process; from an iterator, in no ring */
};

struct hv_header {
	__u32 size;     /* bytes of the whole record, strings included */
	__u16 kind;     /* enum hv_kind */
	__u16 flags;    /* HV_EXEC_*, HV_FILE_*, HV_MODULE_* of that kind */
	__u64 sequence; /* of this ring and CPU, from 0, without gaps */
	__u64 time;     /* CLOCK_BOOTTIME, ns */
	__u16 ring;
	__u16 cpu;
	__u32 reserved; /* 0 */
};

/* One string slot. `length` bytes of it follow the fixed part. */
struct hv_string {
	__u16 length;
	__u16 flags; /* HV_STRING_* */
};
#define HV_STRING_TRUNCATED 1   /* cut: a path at its front (leading components are missing), others at their end */
#define HV_STRING_DELETED 2     /* the object has no name any more; this was the last one */
#define HV_STRING_UNREACHABLE 4 /* the walk did not end at the root of a mount namespace */
#define HV_STRING_FAULT 8       /* the memory it lies in could not be read, in whole or in part */
#define HV_STRING_SUFFIX 16     /* not carried: it is the last `length` bytes of the next slot's string */

/* The process that acts; for an exec the process as it is after it, for a fork the child. */
struct hv_actor {
	__u64 start;        /* start_boottime of the thread group's leader, ns */
	__u64 parent_start; /* the same of the real parent's leader */
	__u64 cgroup;       /* HV_CGROUP() of its cgroup: of v2, or of a v1 controller's where v2 has it at the root */
	__u64 capabilities; /* effective */
	__u32 pid;          /* thread group id, initial pid namespace */
	__u32 tid;
	__u32 parent_pid;
	__u32 uid, gid;     /* real; ids as the initial user namespace has them */
	__u32 euid, egid;   /* effective, of the subjective credentials */
	__u32 suid, sgid;   /* saved */
	__u32 login_uid;    /* audit login user, 0xffffffff: none */
	__u32 session;      /* audit session, 0xffffffff: none */
	__u32 tty;          /* device of the controlling terminal, major << 20 | minor; 0: none */
	__u32 task_flags;   /* PF_* of the task (linux/sched.h) */
	__u32 ns_mount, ns_pid, ns_user, ns_network, ns_ipc, ns_uts, ns_cgroup; /* inode numbers of its namespaces */
	char comm[16];        /* NUL-padded */
	char parent_comm[16];
};

/* An inode. All 0 where there is none. */
struct hv_object {
	__u64 inode;
	__u64 size;       /* bytes */
	__u64 mtime;      /* ns since 1970 */
	__u32 device;     /* s_dev: major << 20 | minor */
	__u32 generation;
	__u32 mode;       /* st_mode: type and permissions */
	__u32 links;
	__u32 uid, gid;   /* as the initial user namespace has them */
};

struct hv_credentials {
	__u64 capabilities; /* effective */
	__u32 uid, gid, euid, egid, suid, sgid;
};

/* hv_header.flags of an exec */
#define HV_EXEC_FILELESS 1        /* the executable has no name: memfd, O_TMPFILE, deleted */
#define HV_EXEC_MEMFD 2           /* ... and it is a memfd */
#define HV_EXEC_BEFORE 4          /* `before` is filled in */
#define HV_EXEC_SCRIPT 8          /* run by an interpreter; `script` is filled in where its inode is not 0 */
#define HV_EXEC_SCRIPT_FILELESS 16 /* the script has no name */
#define HV_EXEC_ARGS_TRUNCATED 32 /* args_size is more than was carried */

enum hv_exec_string {
	HV_EXEC_EXECUTABLE, /* path of the executable in the actor's mount namespace; empty where the exec failed */
	HV_EXEC_FILENAME,   /* what the caller wrote */
	HV_EXEC_INTERPRETER, /* of a script, as its first line has it */
	HV_EXEC_DIRECTORY,  /* working directory in the actor's mount namespace */
	HV_EXEC_CGROUP,     /* path of the cgroup in its hierarchy */
	HV_EXEC_ARGS,       /* arguments, each ended by a NUL (the last may be cut) */
	HV_EXEC_STRINGS,
};

struct hv_exec {
	struct hv_header header;
	struct hv_actor actor;
	struct hv_object executable;
	struct hv_object script;
	struct hv_credentials before;
	__u64 executable_ctime; /* ns since 1970: with `executable` it tells the content, which mtime does not */
	__u32 args_count; /* true count */
	__u32 args_size;  /* true size in bytes */
	__s32 error;      /* 0 or a negative errno */
	__u32 old_tid;    /* the thread that called execve; differs from tid where it was not the leader */
	struct hv_string strings[HV_EXEC_STRINGS];
};

struct hv_fork {
	struct hv_header header;
	struct hv_actor actor; /* the child */
	__u64 forker_start;    /* of the process that called clone; not the parent with CLONE_PARENT */
	__u32 forker_pid;
	__u32 reserved;
};

struct hv_exit {
	struct hv_header header;
	struct hv_actor actor;
	__u32 status; /* as wait(2) has it: signal in bits 0-6, core dump bit 7, code in bits 8-15 */
	__u32 reserved;
};

enum hv_file_action {
	HV_FILE_CREATE = 1,
	HV_FILE_WRITE = 2,       /* the first change through a handle, or the totals (HV_FILE_CLOSED); with HV_FILE_BYTES value: bytes so far; with HV_FILE_OFFSET too: those of one write at value_2 */
	HV_FILE_RENAME = 3,
	HV_FILE_DELETE = 4,
	HV_FILE_TRUNCATE = 5,    /* value: the new size, all ones where it is not known (hv_result may) */
	HV_FILE_LINK = 6,        /* TARGET_* is the new name */
	HV_FILE_SYMLINK = 7,     /* TEXT: what it points to */
	HV_FILE_MKDIR = 8,       /* value: mode asked for */
	HV_FILE_RMDIR = 9,
	HV_FILE_MKNOD = 10,      /* value: mode asked for, with its type; value_2: device, as st_dev of hv_object */
	HV_FILE_CHMOD = 11,      /* value: mode asked for */
	HV_FILE_CHOWN = 12,      /* value: uid, value_2: gid, as the initial user namespace has them; all ones: not changed */
	HV_FILE_UTIMES = 13,
	HV_FILE_SETXATTR = 14,   /* TEXT: name of the attribute; value: bytes of its value */
	HV_FILE_REMOVEXATTR = 15, /* TEXT: name */
	HV_FILE_SETFLAGS = 16,   /* value: FS_*_FL asked for (linux/fs.h), value_2: those before; all ones where not known */
	HV_FILE_MMAP_WRITE = 17, /* a shared mapping that can be stored to */
	HV_FILE_MOUNT = 18,      /* the path is the mount point; TEXT: source, TEXT_2: type; value: MS_*, value_2: enum hv_mount */
	HV_FILE_UMOUNT = 19,
	HV_FILE_PARAMETER = 20,  /* a write below /proc/sys; value: bytes */
	HV_FILE_ACTIONS,
};

enum hv_mount {
	HV_MOUNT_NEW = 0,
	HV_MOUNT_BIND = 1,
	HV_MOUNT_MOVE = 2, /* or put in place what open_tree or fsmount made */
	HV_MOUNT_REMOUNT = 3,
	HV_MOUNT_PROPAGATION = 4,
	HV_MOUNT_PIVOT_ROOT = 5,
};

/* hv_header.flags of a file record */
#define HV_FILE_OPEN 1       /* write: the handle is still open */
#define HV_FILE_CLOSED 2     /* write: totals at the last close */
#define HV_FILE_IO_URING 4   /* done by a worker for the process that made the ring, which is the actor */
#define HV_FILE_PENDING 8    /* the result follows in a hv_result of the same operation and tid */
#define HV_FILE_SPELLED 16   /* INNER and ACTOR are the directory that NAME is relative to, NAME as the caller spelled it */
#define HV_FILE_TARGET_SPELLED 32 /* the same for TARGET_* and TARGET_NAME */
#define HV_FILE_EXCHANGE 64  /* rename: RENAME_EXCHANGE */
#define HV_FILE_REFINE 128   /* the watch entry that hit is the parent of names that user space must compare */
#define HV_FILE_CANARY 256   /* under the canary's own watch entry */
#define HV_FILE_EVICTED 512  /* write: totals so far of a handle that made room for another in the table */
#define HV_FILE_BYTES 1024   /* write: value is bytes that were written by calls that tell how many */
#define HV_FILE_OFFSET 2048  /* write: value_2 is where they begin */

/* hv_file.via: ways in which something was written, so far. */
#define HV_VIA_WRITE 1       /* write(2) and its like */
#define HV_VIA_MMAP 2        /* a store through a mapping */
#define HV_VIA_IO_URING 4
#define HV_VIA_AIO 8
#define HV_VIA_SENDFILE 16
#define HV_VIA_SPLICE 32
#define HV_VIA_COPY 64       /* copy_file_range */
#define HV_VIA_REFLINK 128
#define HV_VIA_FALLOCATE 256
#define HV_VIA_TRUNCATE 512
#define HV_VIA_KERNEL 1024   /* the kernel for another (nfsd, loop device) */
#define HV_VIA_OTHER 2048

enum hv_file_string {
	HV_FILE_INNER,        /* path inside the file system, from its root */
	HV_FILE_ACTOR,        /* path in the actor's mount namespace; empty where the hook has no mount */
	HV_FILE_TARGET_INNER, /* where it went (rename, link) */
	HV_FILE_TARGET_ACTOR,
	HV_FILE_NAME,         /* only with HV_FILE_SPELLED */
	HV_FILE_TARGET_NAME,  /* only with HV_FILE_TARGET_SPELLED */
	HV_FILE_TEXT,         /* by action */
	HV_FILE_TEXT_2,
	HV_FILE_STRINGS,
};

struct hv_file {
	struct hv_header header;
	struct hv_actor actor;
	struct hv_object object;
	struct hv_object target; /* rename: what was there before (the victim, or the other of an exchange) */
	__u64 operation;   /* with HV_FILE_PENDING: pairs with hv_result */
	__u64 operations;  /* write: changes so far through this handle by this process */
	__u64 size_before; /* write: bytes before the first change; all ones: not known (the hook runs after it) */
	__u64 first, last; /* write: CLOCK_BOOTTIME ns of the first and the last change; last is right to a tick of the kernel's clock */
	__u64 value, value_2; /* by action, see hv_file_action */
	__u32 action;      /* enum hv_file_action */
	__s32 error;       /* 0 or a negative errno */
	__u32 watch;       /* user space's number of the watch entry that decided; 0: not decided in the kernel */
	__u32 directory_device; /* device of the directory a spelled name is relative to */
	__u32 via;         /* HV_VIA_* */
	__u32 reserved;
	struct hv_string strings[HV_FILE_STRINGS];
};

/* How the operation of an hv_file with HV_FILE_PENDING ended. */
struct hv_result {
	struct hv_header header;
	__u64 operation;
	__u32 tid;
	__s32 error;  /* 0 or a negative errno */
	__u64 value;  /* in place of hv_file.value, where it is not all ones */
	struct hv_object object; /* what is there now; all 0 where it is not known */
};

enum hv_module_action {
	HV_MODULE_LOAD = 1,
	HV_MODULE_UNLOAD = 2,
	HV_MODULE_REQUEST = 3, /* the kernel asks modprobe for one; NAME is what it asks for */
};

enum hv_module_source {
	HV_MODULE_SOURCE_UNKNOWN = 0,
	HV_MODULE_SOURCE_FILE = 1,   /* finit_module */
	HV_MODULE_SOURCE_MEMORY = 2, /* init_module */
};

/* hv_header.flags of a module record */
#define HV_MODULE_SIGNED 1       /* the kernel accepted its signature */
#define HV_MODULE_SIGNED_KNOWN 2 /* the kernel tells (CONFIG_MODULE_SIG) and the load got that far */
#define HV_MODULE_LOADED 4       /* the module_load tracepoint fired: name and taints are the kernel's */
#define HV_MODULE_RESULT_UNKNOWN 8 /* the hook that gives the result is missing */

enum hv_module_string {
	HV_MODULE_NAME,
	HV_MODULE_ARGS,
	HV_MODULE_FILE,       /* in the actor's mount namespace */
	HV_MODULE_FILE_INNER, /* from the root of its file system */
	HV_MODULE_HINT,       /* source memory: the last *.ko* that the process had open, in its mount namespace */
	HV_MODULE_STRINGS,
};

struct hv_module {
	struct hv_header header;
	struct hv_actor actor;
	struct hv_object file; /* of a load from a file; with a hint, the hint's */
	__u64 file_ctime; /* of `file`, ns since 1970 */
	__u64 taints;    /* the module's own taint bits (linux/panic.h, TAINT_*) */
	__u32 action;    /* enum hv_module_action */
	__u32 source;    /* enum hv_module_source */
	__s32 error;     /* 0 or a negative errno */
	__u32 args_size; /* true size of the arguments in bytes, NUL excluded */
	__u32 wait;      /* request: the requester waits */
	struct hv_string strings[HV_MODULE_STRINGS];
};

/*
 * A cgroup by its hierarchy and its id (that of its kernfs node, the inode number of its directory) in one number: ids
 * are unique in a hierarchy only. The hierarchy is 0 for v2, and as /proc/cgroups numbers it for v1's.
 */
#define HV_CGROUP_SHIFT 56
#define HV_CGROUP(hierarchy, id) ((__u64)(hierarchy) << HV_CGROUP_SHIFT | (id))
#define HV_CGROUP_ID(cgroup) ((cgroup) & ((1ULL << HV_CGROUP_SHIFT) - 1))

enum hv_cgroup_action {
	HV_CGROUP_MADE = 1,
	HV_CGROUP_RENAMED = 2,
	HV_CGROUP_REMOVED = 3,
};

enum hv_cgroup_string {
	HV_CGROUP_PATH, /* in its hierarchy; after a rename the new one */
	HV_CGROUP_STRINGS,
};

/* No event of its own: what user space knows of cgroups follows it. */
struct hv_cgroup {
	struct hv_header header;
	__u64 cgroup; /* HV_CGROUP() */
	__u64 parent; /* the same of the one above it; 0: it is the root */
	__u32 action; /* enum hv_cgroup_action */
	struct hv_string strings[HV_CGROUP_STRINGS];
};

enum hv_namespace_call {
	HV_NAMESPACE_UNSHARE = 1,
	HV_NAMESPACE_SETNS = 2,
};

/* The calling thread has other namespaces now, or was refused them. */
struct hv_namespace {
	struct hv_header header;
	struct hv_actor actor; /* as it is after the call */
	__u64 asked;           /* CLONE_* (linux/sched.h); of setns with a namespace's own descriptor 0 where any will do */
	__u32 call;            /* enum hv_namespace_call */
	__s32 error;           /* 0 or a negative errno */
};

enum hv_process_string {
	HV_PROCESS_EXECUTABLE, /* as HV_EXEC_EXECUTABLE */
	HV_PROCESS_CGROUP,
	HV_PROCESS_STRINGS,
};

/* A process that is there when the monitor starts. */
struct hv_process {
	struct hv_header header; /* no sequence, no ring */
	struct hv_actor actor;
	struct hv_object executable; /* all 0: a thread of the kernel's, or it has ended */
	__u64 executable_ctime;
	struct hv_string strings[HV_PROCESS_STRINGS];
};

/* What the kernel side counts, one per CPU and ring, at index cpu * HV_RINGS_MAX + ring of the map hv_counters. */
struct hv_counter {
	__u64 sequence;   /* next number; all below were taken */
	__u64 dropped[HV_KINDS_MAX]; /* numbers taken and not in the ring, by kind: it was full, or no scratch was free */
	__u64 no_scratch; /* those of them for which no scratch was free */
	__u64 throttled;  /* events that have no number: see hv_tenant */
};

/* What is kept of a cgroup that causes events, by its id (limits.tenant_rate). */
struct hv_tenant {
	__u64 full_at; /* when all its tokens will be back; CLOCK_BOOTTIME, ns */
	__u64 last;    /* when an event was last suppressed */
	__u64 suppressed[HV_KINDS_MAX]; /* by kind; they took no number */
};

/* Key of watch entries and verdicts: an inode for as long as it lives. */
struct hv_inode_key {
	__u64 inode;
	__u32 device;
	__u32 generation;
};

/* A watch entry's policy bits. */
#define HV_WATCH_TREE 1     /* what lies below is watched */
#define HV_WATCH_IGNORE 2   /* what lies below is not */
#define HV_WATCH_CHILDREN 4 /* only its direct children; user space compares names (HV_FILE_REFINE) */
#define HV_WATCH_CANARY 8
#define HV_WATCH_LINKED 16  /* of one file that has, or had, several names: it goes with the last of them */
/* Above those, a bit for each action that is not wanted. */
#define HV_WATCH_UNWANTED(action) (1U << (7 + (action)))

struct hv_watch {
	__u32 policy; /* HV_WATCH_*, HV_WATCH_UNWANTED() */
	__u32 entry;  /* user space's number, from 1 */
};

/* One line of iter/task_file: identity of an open handle of this process. */
struct hv_identity {
	__u32 fd;
	__u32 reserved;
	struct hv_inode_key key;
};

/*
 * Functions whose arguments stand elsewhere on other kernels: where their dentry is, and
 * their result behind the last one; from BTF.
 */
enum hv_shifting {
	HV_AT_NOTIFY_CHANGE,
	HV_AT_SETATTR,     /* security_inode_setattr and its LSM hook */
	HV_AT_SETXATTR,    /* security_inode_setxattr */
	HV_AT_REMOVEXATTR, /* security_inode_removexattr */
	HV_AT_VFS_SETXATTR,
	HV_AT_VFS_REMOVEXATTR,
	HV_AT_SET_ACL,     /* security_inode_set_acl */
	HV_AT_REMOVE_ACL,
	HV_AT_VFS_SET_ACL,
	HV_AT_VFS_REMOVE_ACL,
	HV_AT_FILEATTR,    /* vfs_fileattr_set */
	HV_AT_VFS_LINK,
	HV_AT_VFS_SYMLINK,
	HV_AT_VFS_MKDIR,
	HV_AT_VFS_RMDIR,
	HV_AT_VFS_MKNOD,
	HV_AT_VFS_CREATE,
	HV_AT_VFS_UNLINK,
	HV_AT_CAPABLE,     /* capable_wrt_inode_uidgid: its inode in place of a dentry */
	HV_AT_MAX = 20,
};

/* What user space writes before it loads the programs; the verifier prunes by it. */
struct hv_settings {
	__u32 bulk_rings;      /* 1 ... HV_RINGS_MAX - 1 */
	__u32 own_pid;         /* whose acts on files are not reported */
	__u64 wake_bytes;      /* a bulk ring wakes the consumer when it passes this fill */
	__u64 report_every;    /* ns between events of a handle that stays open and goes on writing */
	__u32 failed_exec;     /* 0 none, 1 all but ENOENT, 2 all */
	__u32 file_operations; /* HV_OPERATION_*: what the tracepoint style has to show of files */
	__u32 verdict_mask;    /* entries of the map of verdicts, a power of two, less one */
	__u32 module_hints;    /* the file family's open hook remembers *.ko* for the module family */
	__u32 handle_mask;     /* sets of the table of handles, a power of two, less one */
	__u32 unstamped_tmpfs; /* fallocate sets no time stamps on tmpfs (5.10) */
	__u32 folders;         /* paths of folders may be kept: the hooks that see them change are attached */
	__u32 detail;          /* HV_DETAIL_* */
	__u64 tenant_interval; /* ns in which a cgroup may cause one event; 0: no limit */
	__u64 tenant_burst;    /* ns: it may be ahead of that by so much, at least tenant_interval */
	__u32 shown_kinds;     /* a bit for each enum hv_kind that becomes events; others take no token of a cgroup's */
	__u32 reserved;
	__u8 dentry_at[HV_AT_MAX]; /* enum hv_shifting; 255: the function is not known */
	__u8 result_at[HV_AT_MAX];
};

/* files.detail */
#define HV_DETAIL_SUMMARY 0
#define HV_DETAIL_BYTES 1
#define HV_DETAIL_EVERY_WRITE 2

#define HV_OPERATION_CREATE 1
#define HV_OPERATION_WRITE 2
#define HV_OPERATION_CLOSE 4
#define HV_OPERATION_RENAME 8
#define HV_OPERATION_DELETE 16
#define HV_OPERATION_NAME 32      /* link, symlink, mkdir, rmdir, mknod */
#define HV_OPERATION_ATTRIBUTE 64 /* chmod, chown, utimes, truncate */
#define HV_OPERATION_EXTENDED 128
#define HV_OPERATION_FLAGS 256
#define HV_OPERATION_MAP 512
#define HV_OPERATION_MOUNT 1024
#define HV_OPERATION_REFUSED 2048 /* opens for writing that are refused */
#define HV_OPERATION_DETAIL 4096  /* bytes of writes */

#define HV_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type ": update the size here and in KernelABITests")
HV_ASSERT_SIZE(struct hv_header, 32);
HV_ASSERT_SIZE(struct hv_string, 4);
HV_ASSERT_SIZE(struct hv_actor, 144);
HV_ASSERT_SIZE(struct hv_object, 48);
HV_ASSERT_SIZE(struct hv_credentials, 32);
HV_ASSERT_SIZE(struct hv_exec, 32 + 144 + 48 + 48 + 32 + 8 + 16 + 24);
HV_ASSERT_SIZE(struct hv_fork, 32 + 144 + 16);
HV_ASSERT_SIZE(struct hv_exit, 32 + 144 + 8);
HV_ASSERT_SIZE(struct hv_file, 32 + 144 + 48 + 48 + 40 + 16 + 24 + 32);
HV_ASSERT_SIZE(struct hv_result, 48 + 8 + 48);
HV_ASSERT_SIZE(struct hv_module, 32 + 144 + 48 + 16 + 20 + 20);
HV_ASSERT_SIZE(struct hv_cgroup, 32 + 16 + 4 + 4);
HV_ASSERT_SIZE(struct hv_namespace, 32 + 144 + 8 + 8);
HV_ASSERT_SIZE(struct hv_process, 32 + 144 + 48 + 8 + 8);
HV_ASSERT_SIZE(struct hv_counter, 8 + 8 * HV_KINDS_MAX + 16);
HV_ASSERT_SIZE(struct hv_tenant, 16 + 8 * HV_KINDS_MAX);
HV_ASSERT_SIZE(struct hv_inode_key, 16);
HV_ASSERT_SIZE(struct hv_watch, 8);
HV_ASSERT_SIZE(struct hv_identity, 24);
HV_ASSERT_SIZE(struct hv_settings, 80 + 40);
#undef HV_ASSERT_SIZE

#endif
