/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tracepoint style's changes that no system call of their own shows: requests of an
 * io_uring, stores through mappings, mappings that become writable or go. Each program may be
 * missing on a kernel, and is named then (Probes/Hook+File.swift).
 */
#ifndef HV_STORES_H
#define HV_STORES_H

#include "spelled.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct io_cqe { int fd; }; /* 5.19 */
struct io_rsrc_node { unsigned long file_ptr; }; /* 6.13 */
struct io_rsrc_data {
	unsigned int nr;
	struct io_rsrc_node **nodes;
};
struct io_file_table { struct io_rsrc_data data; };
struct io_fixed_file { unsigned long file_ptr; };
struct io_file_table___before_6_13 { struct io_fixed_file *files; };
struct io_ring_ctx { struct io_file_table file_table; };
struct io_ring_ctx___before_6_13 {
	struct io_file_table___before_6_13 file_table;
	unsigned int nr_user_files;
};
struct io_kiocb {
	struct file *file;
	__u8 opcode;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	__u64 flags;
};
struct io_kiocb___before_6_8 { unsigned int flags; };
struct rb_node {
	struct rb_node *rb_right, *rb_left;
};
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };
struct address_space { struct rb_root_cached i_mmap; };
struct inode___mapping {
	struct address_space *i_mapping;
};
struct vm_area_struct___tree {
	struct mm_struct *vm_mm;
	struct file *vm_file;
	unsigned long vm_flags;
	struct { struct rb_node rb; } shared;
};
#pragma clang attribute pop

/* enum io_uring_op -- include/uapi/linux/io_uring.h */
enum {
	IORING_OP_WRITEV = 2,
	IORING_OP_WRITE_FIXED = 5,
	IORING_OP_FALLOCATE = 17,
	IORING_OP_WRITE = 23,
	IORING_OP_SPLICE = 30,
	IORING_OP_FTRUNCATE = 55,
	IORING_OP_WRITEV_FIXED = 61,
};
#define REQ_F_FIXED_FILE 1
#define VM_MAYWRITE 0x20ul /* include/linux/mm.h */

/* The file that a request is for: not yet taken at its submission, but its descriptor is there (io_init_req). */
static __always_inline struct file *file_of_request(struct io_kiocb *request)
{
	struct file *file = BPF_CORE_READ(request, file);
	struct io_kiocb___before_6_8 *older = (void *)request;
	struct io_ring_ctx *ring = BPF_CORE_READ(request, ctx);
	struct io_ring_ctx___before_6_13 *older_ring = (void *)ring;
	unsigned long entry = 0, flags;
	int descriptor;

	if (file)
		return file;
	if (!bpf_core_field_exists(request->cqe.fd))
		return NULL;
	descriptor = BPF_CORE_READ(request, cqe.fd);
	flags = bpf_core_field_size(request->flags) == 4 ? BPF_CORE_READ(older, flags) : BPF_CORE_READ(request, flags);
	if (!(flags & REQ_F_FIXED_FILE))
		return file_of_descriptor(descriptor);
	if (descriptor < 0)
		return NULL;
	if (bpf_core_field_exists(ring->file_table.data.nodes)) {
		struct io_rsrc_node **nodes = BPF_CORE_READ(ring, file_table.data.nodes), *node = NULL;

		if ((__u32)descriptor >= BPF_CORE_READ(ring, file_table.data.nr))
			return NULL;
		bpf_probe_read_kernel(&node, sizeof(node), nodes + descriptor);
		entry = BPF_CORE_READ(node, file_ptr);
	} else if (bpf_core_field_exists(older_ring->file_table.files)) {
		struct io_fixed_file *files = BPF_CORE_READ(older_ring, file_table.files);

		if ((__u32)descriptor >= BPF_CORE_READ(older_ring, nr_user_files))
			return NULL;
		bpf_probe_read_kernel(&entry, sizeof(entry), (void *)files + descriptor * sizeof(entry));
	}
	return (struct file *)(entry & ~7UL); /* the low bits are flags of the table's */
}

/* A file is about to be changed. A global function, for the verifier. */
__noinline int file_will_change(__u64 address)
{
	struct file *file = (struct file *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u64 word;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	word = judge_layer(inode, BPF_CORE_READ(file, f_path.dentry));
	return watch_hit(word) ? file_changed(file, inode, word, false) : 0;
}

/* The same by a mapping, whose handle may be that of an overlay's layer. */
__noinline int file_stored(__u64 address)
{
	struct file *file = (struct file *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u64 word = judge_layer(inode, BPF_CORE_READ(file, f_path.dentry));

	if (!watch_hit(word) && watch_overlays.any)
		word = judge_overlaid(file);
	return watch_hit(word) ? file_changed(file, inode, word, false) : 0;
}

static __always_inline int ring_submits(struct io_kiocb *request)
{
	struct file *file;

	switch (request->opcode) {
	case IORING_OP_WRITEV: case IORING_OP_WRITE_FIXED: case IORING_OP_WRITE: case IORING_OP_WRITEV_FIXED:
	case IORING_OP_FALLOCATE: case IORING_OP_SPLICE: case IORING_OP_FTRUNCATE:
		file = file_of_request((void *)address_number(request));
		return file ? file_will_change((__u64)file) : 0;
	}
	return 0;
}

/* TP_PROTO(struct io_kiocb *req) -- include/trace/events/io_uring.h, 6.4. By the task that submits, or the ring's own thread. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(file_tracepoint_ring, struct io_kiocb *request)
{
	return ring_submits(request);
}

/* TP_PROTO(struct io_kiocb *req, bool force_nonblock), 6.0; before that it has no request, and this does not load. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(file_tracepoint_ring_older, struct io_kiocb *request)
{
	return ring_submits(request);
}

#define MAPPINGS_LOOKED_AT 8
#define I_DIRTY_PAGES 4 /* include/linux/fs.h */

/*
 * The handle of a mapping through which the current process can store to an inode, or 0:
 * down one way of the tree of its mappings. A global function, for the verifier.
 */
__noinline __u64 file_mapped_here(__u64 address)
{
	struct inode___mapping *inode = (void *)address;
	struct rb_node *node = BPF_CORE_READ(inode, i_mapping, i_mmap.rb_root.rb_node);
	struct mm_struct *memory = BPF_CORE_READ(current_task(), mm);

	for (int round = 0; round < MAPPINGS_LOOKED_AT && node; round++) {
		struct vm_area_struct___tree *area = (void *)node - bpf_core_field_offset(struct vm_area_struct___tree, shared.rb);
		struct rb_node *next;

		if (BPF_CORE_READ(area, vm_mm) == memory && BPF_CORE_READ(area, vm_flags) & VM_SHARED)
			return (__u64)BPF_CORE_READ(area, vm_file);
		next = BPF_CORE_READ(node, rb_left);
		node = next ? next : BPF_CORE_READ(node, rb_right);
	}
	return 0;
}

/*
 * TP_PROTO(struct inode *inode, int flags) -- include/trace/events/writeback.h
 * The first store to a page through a mapping; plain writes pass as well. Who writes back
 * in the kernel's name is no author.
 */
SEC("tp_btf/writeback_mark_inode_dirty")
int BPF_PROG(file_tracepoint_dirty, struct inode *inode, int flags)
{
	__u32 call = current_call();
	struct hv_inode_key key = {};
	struct file *file;
	__u64 word;

	if ((inode->i_mode & S_IFMT) != S_IFREG || TASK_READ(current_task(), flags) & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	/* A fault, or a call that stores to memory. Calls that read set times only. */
	if (call != ~0u && (!(flags & I_DIRTY_PAGES) || file_call(CALL_KEY(call & 0x7fffffff, syscall_is_compat()))->class))
		return 0;
	inode_key(&key, (void *)address_number(inode));
	if (verdict_kept(key.inode, key.device, key.generation, &word) && !watch_hit(word) && !watch_overlays.any)
		return 0;
	file = (void *)file_mapped_here(address_number(inode));
	return file ? file_stored(address_number(file)) : 0;
}

static long area_found(struct task_struct *task, struct vm_area_struct *area, void *context)
{
	struct { __u64 file, flags; } *found = context;

	found->file = (__u64)BPF_CORE_READ((struct vm_area_struct *)address_number(area), vm_file);
	found->flags = BPF_CORE_READ((struct vm_area_struct *)address_number(area), vm_flags);
	return 0;
}

/* mprotect and munmap, by the mapping at the first address: bpf_find_vma is there from 5.17. Its own program, so that older kernels load the others. */
SEC("tp_btf/sys_enter")
int BPF_PROG(file_tracepoint_protect, struct pt_regs *regs, long id)
{
	__u32 key = CALL_KEY(id, syscall_is_compat()), class = file_call(key)->class;
	__u64 registers = address_number(regs);
	struct { __u64 file, flags; } found = {};

	if (class != CALL_PROTECT && class != CALL_UNMAP)
		return 0;
	if (class == CALL_PROTECT && !(call_argument(registers, key, 3) & PROT_WRITE))
		return 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), call_argument(registers, key, 1), area_found, &found, 0) || !found.file || !(found.flags & VM_SHARED))
		return 0;
	if (class == CALL_UNMAP)
		return handle_maybe_closed(found.file);
	return (found.flags & (VM_WRITE | VM_MAYWRITE)) == VM_MAYWRITE ? file_is_mapped(found.file) : 0;
}

#endif
