/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What throughput.bpf.c shares with its loader. */
#ifndef THROUGHPUT_H
#define THROUGHPUT_H

#include "../../bpf/record.h"

#define TEMPLATES 64
#define TEMPLATE_BYTES 1024

/* A record to be copied into the ring with its own time and number. */
struct template {
	__u32 size;
	__u32 reserved;
	__u8 record[TEMPLATE_BYTES];
};

struct fill_state {
	__u64 emitted;
	__u32 wanted; /* records that the next run makes */
	__u32 rings;  /* 1 or 2, in turn */
	struct hv_counter counters[2];
};

#endif
