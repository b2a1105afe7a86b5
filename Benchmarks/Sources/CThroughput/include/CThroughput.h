#ifndef CTHROUGHPUT_H
#define CTHROUGHPUT_H

#include <stddef.h>
#include <stdint.h>
#include "../../../../bpf/record.h"

/* Rings that are filled by a BPF program. */
struct bench;

struct bench_ring {
	void *consumer;
	const void *producer;
	const uint8_t *data; /* mapped twice */
	size_t size;
};

/* Loads the object; NULL and errno on failure (libbpf has said why on standard error). */
struct bench *bench_open(const char *object, uint32_t ring_bytes);
int bench_templates(void);
int bench_template_bytes(void);
/* 0 or -errno. */
int bench_set_template(struct bench *bench, uint32_t index, const void *record, uint32_t size);
/* Maps a ring; 0 or -errno. */
int bench_map(struct bench *bench, uint32_t ring, struct bench_ring *out);
/* Runs the program once for `count` records over `rings` rings; 0 or -errno. */
int bench_fill(struct bench *bench, uint32_t count, uint32_t rings);
struct hv_counter bench_counter(struct bench *bench, uint32_t ring);
/* A thread on `cpu` that makes `rate` records a second for `seconds`, a millisecond's worth at a time; 0 or -errno. */
int bench_writer_start(struct bench *bench, int cpu, double rate, double seconds);
int bench_writer_done(struct bench *bench);
/* Joins it; the seconds that it took. */
double bench_writer_join(struct bench *bench);

int bench_pin(int cpu);
uint64_t bench_thread_cpu_ns(void);
uint64_t bench_boottime_ns(void);
/* Calls of malloc and its kin by this thread. */
uint64_t bench_allocations(void);

/* What a loop over the ring saw; the Swift side works out the same. */
struct bench_digest {
	uint64_t records, bytes, mixed, hits;
};
void bench_c_view(const struct bench_ring *ring, struct bench_digest *digest);

/* The C writer of the same JSON. */
struct bench_json {
	const char *opening, *event_id, *entity_id; /* as EncoderContext renders them */
	size_t opening_length, event_id_length, entity_id_length;
	int64_t realtime_offset;
	struct bench_date {
		int64_t day;
		char text[16];
	} dates[4]; /* by the last bits of the day; INT64_MIN: none yet */
};
/* Bytes written to `out`, 0 for a record that it does not know. `out` has room for 8 KiB and 40 times the record. */
size_t bench_c_json(struct bench_json *json, const uint8_t *record, size_t size, uint8_t *out);
/* Every record of the ring into `out`, from its beginning whenever it holds more than `room`; bytes in all. */
uint64_t bench_c_json_ring(const struct bench_ring *ring, struct bench_json *json, uint8_t *out, size_t room, uint64_t *records);

#endif
