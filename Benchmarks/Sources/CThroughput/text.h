/* Text into memory, by the same means as the Swift encoder: digits in pairs, eight bytes at a time where nothing is to be
 * escaped, the date of a day worked out once. So the ratio tells what the language costs, not what an algorithm saves. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>
#include <string.h>

#define PUT(literal) (memcpy(out, literal, sizeof(literal) - 1), out += sizeof(literal) - 1)

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
				  "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
				  "99";

static inline void pair(uint8_t *out, uint64_t value) { memcpy(out, digit_pairs + 2 * value, 2); }

static __attribute__((noinline)) uint8_t *number(uint8_t *out, uint64_t value)
{
	uint8_t *end, *at;
	int length = 1;

	for (uint64_t rest = value;; rest /= 10000, length += 4) {
		if (rest < 10)
			break;
		if (rest < 100) {
			length += 1;
			break;
		}
		if (rest < 1000) {
			length += 2;
			break;
		}
		if (rest < 10000) {
			length += 3;
			break;
		}
	}
	at = end = out + length;
	while (value >= 100) {
		at -= 2;
		pair(at, value % 100);
		value /= 100;
	}
	if (value >= 10)
		pair(at - 2, value);
	else
		at[-1] = '0' + value;
	return end;
}

static inline uint8_t *quoted(uint8_t *out, uint64_t value)
{
	*out++ = '"';
	out = number(out, value);
	*out++ = '"';
	return out;
}

static inline uint8_t *hexadecimal(uint8_t *out, uint64_t value, int width)
{
	for (int shift = (width - 1) * 4; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[value >> shift & 15];
	return out;
}

/* Length of the UTF-8 sequence at `from`, 0 where there is no valid one (RFC 3629). */
static inline size_t utf8_length(const uint8_t *from, size_t count)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t length = from[0] >= 0xf0 ? 4 : from[0] >= 0xe0 ? 3 : 2;

	if (from[0] < 0xc2 || from[0] > 0xf4 || length > count)
		return 0;
	switch (from[0]) {
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	}
	for (size_t index = 1; index < length; index++) {
		if (from[index] < low || from[index] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

enum nul_rule { NUL_ESCAPED, NUL_ELEMENT, NUL_SPACE };

static inline uint8_t *escaped_byte(uint8_t *out, uint8_t byte, enum nul_rule rule)
{
	if (byte == 0 && rule == NUL_SPACE) {
		*out++ = ' ';
		return out;
	}
	if (byte == 0 && rule == NUL_ELEMENT) {
		PUT("\",\"");
		return out;
	}
	*out++ = '\\';
	switch (byte) {
	case '"': case '\\': *out++ = byte; return out;
	case '\n': *out++ = 'n'; return out;
	case '\r': *out++ = 'r'; return out;
	case '\t': *out++ = 't'; return out;
	}
	*out++ = 'u';
	return hexadecimal(out, byte, 4);
}

/* The inside of a JSON string; NULL where the bytes are no UTF-8. */
static inline __attribute__((always_inline)) uint8_t *escape(uint8_t *out, const uint8_t *from, size_t count, enum nul_rule rule)
{
	const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
	size_t index = 0;

	while (index < count) {
		size_t rest = count - index, plain;
		uint64_t word = 0, quote, backslash, special;

		if (rest >= 8) {
			rest = 8;
			memcpy(&word, from + index, 8);
		} else {
			for (size_t byte = 0; byte < rest; byte++)
				word |= (uint64_t)from[index + byte] << (8 * byte);
		}
		quote = word ^ ones * '"';
		backslash = word ^ ones * '\\';
		special = (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | word) & high;
		if (rest < 8)
			special &= (1ull << (8 * rest)) - 1;
		memcpy(out, &word, 8);
		if (!special) {
			out += rest;
			index += rest;
			continue;
		}
		plain = __builtin_ctzll(special) / 8;
		out += plain;
		index += plain;
		if (from[index] < 0x80) {
			out = escaped_byte(out, from[index++], rule);
		} else {
			size_t length = utf8_length(from + index, count - index);
			if (!length)
				return NULL;
			memcpy(out, from + index, length);
			out += length;
			index += length;
		}
	}
	return out;
}

static __attribute__((noinline)) uint8_t *string(uint8_t *out, const uint8_t *from, size_t count)
{
	return escape(out, from, count, NUL_ESCAPED);
}

static __attribute__((noinline)) uint8_t *elements(uint8_t *out, const uint8_t *from, size_t count)
{
	return escape(out, from, count, NUL_ELEMENT);
}

static __attribute__((noinline)) uint8_t *line(uint8_t *out, const uint8_t *from, size_t count)
{
	return escape(out, from, count, NUL_SPACE);
}

#endif
