/* The string slots of a record, two at a time, as Sources/Rings/Views has them: checked once, and then found by sums. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>
#include <string.h>

#include "../../../bpf/record.h"

struct span {
	const uint8_t *bytes;
	size_t length;
};

_Static_assert(HV_STRING_SUFFIX == 1 << 4 && sizeof(struct hv_string) == 4, "update the masks here and in StringSlots.swift");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a slot's length is the low half of its word");

#define SLOT_LENGTHS 0x0000ffff0000ffffull
#define SLOT_SUFFIXES 0x0010000000100000ull
#define SLOT_ONES 0x0000000100000001ull

/* Slots `index`, which is even, and the next; all 0 for that where there are only `count`. */
static inline uint64_t slot_pair(const struct hv_string *strings, int index, int count)
{
	uint64_t word = 0;

	memcpy(&word, strings + index, index + 1 < count ? 8 : 4);
	return word;
}

/* In each half the bytes that the string takes in the record. */
static inline uint64_t slot_carried(uint64_t pair)
{
	return pair & SLOT_LENGTHS & ((pair >> 20 & SLOT_ONES) + SLOT_LENGTHS);
}

/* Each string that is not carried is in that of the next slot, which is. */
static inline int slots_are_within(const struct hv_string *strings, int count)
{
	uint64_t bad = strings[count - 1].flags & HV_STRING_SUFFIX;

	for (int index = 0; index < count; index += 2) {
		uint64_t pair = slot_pair(strings, index, count);
		uint64_t next = pair >> 32 | (index + 2 < count ? slot_pair(strings, index + 2, count) << 32 : 0);
		uint64_t room = ((next & SLOT_LENGTHS) | SLOT_ONES << 16) - (pair & SLOT_LENGTHS);
		bad |= pair & SLOT_SUFFIXES & (next | ~room << 4);
	}
	return !bad;
}

/* A record as long as its header says, with room for its strings. */
static inline int whole(const struct hv_header *header, size_t size, size_t fixed, const struct hv_string *strings, int count)
{
	uint64_t carried = 0, flags = 0;

	if (header->size != size)
		return 0;
	for (int index = 0; index < count; index += 2) {
		uint64_t pair = slot_pair(strings, index, count);
		carried += slot_carried(pair);
		flags |= pair;
	}
	if (fixed + (carried & UINT32_MAX) + (carried >> 32) > size)
		return 0;
	return !(flags & SLOT_SUFFIXES) || slots_are_within(strings, count);
}

static inline struct span slot(const uint8_t *record, size_t fixed, const struct hv_string *strings, int index, int count)
{
	struct span span = { record + fixed, strings[index].length };
	uint64_t carried = 0;

	for (int before = 0; before + 1 < index; before += 2)
		carried += slot_carried(slot_pair(strings, before, count));
	if (index & 1)
		carried += slot_carried(slot_pair(strings, index - 1, count)) & UINT32_MAX;
	span.bytes += (carried & UINT32_MAX) + (carried >> 32);
	if (index + 1 < count && strings[index].flags & HV_STRING_SUFFIX)
		span.bytes += strings[index + 1].length - strings[index].length;
	return span;
}

#endif
