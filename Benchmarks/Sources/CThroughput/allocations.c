/* Stands in for glibc's allocator in the whole program, the Swift runtime included, and counts per thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "CThroughput.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static __thread uint64_t count;

uint64_t bench_allocations(void) { return count; }

void *malloc(size_t size)
{
	count++;
	return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	count++;
	return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
	count++;
	return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	count++;
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	count++;
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : ENOMEM;
}
