/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fields at the end of chains of pointers. A pointer that the verifier knows the type of
 * (a hook's argument, what is loaded from one) takes direct loads, each a tenth of what a
 * read by helper costs; such a load gives 0 where the address is bad. Any other needs the
 * helper. Functions that read much are templates over which of both they are given.
 */
#ifndef HV_FIELD_H
#define HV_FIELD_H

#include "maps.h"

#define HV_ARROW_1(a) a
#define HV_ARROW_2(a, b) a->b
#define HV_ARROW_3(a, b, c) a->b->c
#define HV_ARROW_4(a, b, c, d) a->b->c->d
#define HV_ARROW_N(_1, _2, _3, _4, name, ...) name
#define HV_ARROW(...) HV_ARROW_N(__VA_ARGS__, HV_ARROW_4, HV_ARROW_3, HV_ARROW_2, HV_ARROW_1)(__VA_ARGS__)

/* What the compiler knows of a value, it forgets: a mask behind it stays, which the verifier needs to see. */
#define UNKNOWN(value) asm volatile("" : "+r"(value))

/* `typed` is a constant. */
#define FIELD(typed, ...) ((typed) ? HV_ARROW(__VA_ARGS__) : BPF_CORE_READ(__VA_ARGS__))

/* Of a task, which is typed where the kernel gives the current one so (current_task). */
#define TASK_READ(...) FIELD(HELPER_EXISTS(get_current_task_btf), __VA_ARGS__)

/* A pointer as a number: of a typed one the verifier lets nothing else be made. */
static __always_inline __u64 address_number(const void *pointer)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* The low half of an address, as a number: of a typed pointer the verifier lets only a 32-bit subtraction make one. */
static __always_inline __u64 address_bits(__u64 address)
{
	__u64 bits;

	asm volatile("r1 = %1; w1 -= 0; %0 = r1" : "=r"(bits) : "r"(address) : "r1");
	return bits;
}

#endif
