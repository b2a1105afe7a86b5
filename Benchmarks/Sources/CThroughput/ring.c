#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../bpf/throughput.h"
#include "CThroughput.h"

struct bench {
	struct bpf_object *object;
	int program;
	int templates;
	struct bpf_map *rings[2];
	struct fill_state *state;
	pthread_t writer;
	atomic_int writer_done;
	int writer_cpu;
	double rate, seconds, took;
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

struct bench *bench_open(const char *path, uint32_t ring_bytes)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct bpf_map *data;

	if (!bench)
		return NULL;
	bench->object = bpf_object__open_file(path, NULL);
	if (!bench->object)
		goto fail;
	bench->rings[0] = bpf_object__find_map_by_name(bench->object, "ring0");
	bench->rings[1] = bpf_object__find_map_by_name(bench->object, "ring1");
	if (!bench->rings[0] || !bench->rings[1])
		goto fail;
	for (int ring = 0; ring < 2; ring++)
		bpf_map__set_max_entries(bench->rings[ring], ring_bytes);
	if (bpf_object__load(bench->object))
		goto fail;
	bench->program = bpf_program__fd(bpf_object__find_program_by_name(bench->object, "fill"));
	bench->templates = bpf_object__find_map_fd_by_name(bench->object, "templates");
	data = bpf_object__find_map_by_name(bench->object, ".bss");
	if (!data)
		goto fail;
	/* The program's own variables; only a skeleton would map them by itself. */
	bench->state = mmap(NULL, bpf_map__value_size(data), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(data), 0);
	if (bench->program < 0 || bench->templates < 0 || bench->state == MAP_FAILED || bpf_map__value_size(data) < sizeof(*bench->state))
		goto fail;
	return bench;
fail:
	bpf_object__close(bench->object);
	free(bench);
	return NULL;
}

int bench_templates(void) { return TEMPLATES; }
int bench_template_bytes(void) { return TEMPLATE_BYTES; }

int bench_set_template(struct bench *bench, uint32_t index, const void *record, uint32_t size)
{
	struct template value = { .size = size };

	if (size > sizeof(value.record))
		return -E2BIG;
	memcpy(value.record, record, size);
	return bpf_map_update_elem(bench->templates, &index, &value, BPF_ANY) ? -errno : 0;
}

int bench_map(struct bench *bench, uint32_t ring, struct bench_ring *out)
{
	int fd = bpf_map__fd(bench->rings[ring]);
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = bpf_map__max_entries(bench->rings[ring]);
	uint8_t *producer;

	out->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (out->consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, page);
	if (producer == MAP_FAILED)
		return -errno;
	out->producer = producer;
	out->data = producer + page;
	out->size = size;
	return 0;
}

int bench_fill(struct bench *bench, uint32_t count, uint32_t rings)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bench->state->wanted = count;
	bench->state->rings = rings;
	return bpf_prog_test_run_opts(bench->program, &options) ? -errno : 0;
}

struct hv_counter bench_counter(struct bench *bench, uint32_t ring)
{
	return bench->state->counters[ring];
}

static void *writer_main(void *argument)
{
	struct bench *bench = argument;
	double start, next, made = 0;

	bench_pin(bench->writer_cpu);
	start = next = seconds_now();
	while (next < start + bench->seconds) {
		double due;

		next += 0.001;
		due = (next - start) * bench->rate - made;
		if (due >= 1) {
			if (bench_fill(bench, (uint32_t)due, 1))
				break;
			made += (uint32_t)due;
		}
		/* Behind: the rate is more than the program can make, and the next batch begins at once. */
		while (seconds_now() < next) {
			struct timespec pause = { .tv_nsec = 50000 };
			nanosleep(&pause, NULL);
		}
	}
	bench->took = seconds_now() - start;
	atomic_store(&bench->writer_done, 1);
	return NULL;
}

int bench_writer_start(struct bench *bench, int cpu, double rate, double seconds)
{
	bench->writer_cpu = cpu;
	bench->rate = rate;
	bench->seconds = seconds;
	atomic_store(&bench->writer_done, 0);
	return -pthread_create(&bench->writer, NULL, writer_main, bench);
}

int bench_writer_done(struct bench *bench) { return atomic_load(&bench->writer_done); }

double bench_writer_join(struct bench *bench)
{
	pthread_join(bench->writer, NULL);
	return bench->took;
}

int bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t bench_thread_cpu_ns(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }
uint64_t bench_boottime_ns(void) { return nanoseconds(CLOCK_BOOTTIME); }
