/* Text into memory, by the same means as the Swift encoder: eight digits at once, eight bytes at a time where nothing is to
 * be escaped, the date of a day worked out once. So the ratio tells what the language costs, not what an algorithm saves. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>
#include <string.h>

#define PUT(literal) (memcpy(out, literal, sizeof(literal) - 1), out += sizeof(literal) - 1)

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
				  "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
				  "99";

static inline void pair(uint8_t *out, uint64_t value) { memcpy(out, digit_pairs + 2 * value, 2); }

/* Eight digits at once, the first in the lowest byte: halves of four digits, of two and of one, all lanes at a time. */
static inline uint64_t eight(uint64_t value)
{
	uint64_t high = value / 10000, fours = high | (value - high * 10000) << 32;
	uint64_t hundreds = fours * 10486 >> 20 & 0x0000007f0000007full, twos = hundreds | (fours - hundreds * 100) << 16;
	uint64_t tens = twos * 103 >> 10 & 0x000f000f000f000full;

	return tens | (twos - tens * 10) << 8;
}

static inline void store_eight(uint8_t *out, uint64_t digits)
{
	digits |= 0x3030303030303030ull;
	memcpy(out, &digits, 8);
}

static inline uint8_t *at_most_two(uint8_t *out, uint64_t value)
{
	if (value < 10) {
		*out = '0' + value;
		return out + 1;
	}
	pair(out, value);
	return out + 2;
}

/* Less than 100,000,000, without leading zeroes. */
static inline uint8_t *at_most_eight(uint8_t *out, uint64_t value)
{
	uint64_t digits;
	int leading;

	if (value < 100)
		return at_most_two(out, value);
	if (value < 10000) {
		out = at_most_two(out, value / 100);
		pair(out, value % 100);
		return out + 2;
	}
	digits = eight(value);
	leading = __builtin_ctzll(digits | 1ull << 56) & ~7;
	digits = (digits | 0x3030303030303030ull) >> leading;
	memcpy(out, &digits, 8);
	return out + (8 - leading / 8);
}

static __attribute__((noinline)) uint8_t *number(uint8_t *out, uint64_t value)
{
	const uint64_t limit = 100000000;
	uint64_t upper = value / limit;

	if (value < limit)
		return at_most_eight(out, value);
	if (upper < limit) {
		out = at_most_eight(out, upper);
	} else {
		out = at_most_eight(out, upper / limit);
		store_eight(out, eight(upper % limit));
		out += 8;
	}
	store_eight(out, eight(value % limit));
	return out + 8;
}

/* A count or a size: Elasticsearch's `long` ends at 2^63 - 1. */
static inline uint8_t *count(uint8_t *out, uint64_t value) { return number(out, value < INT64_MAX ? value : INT64_MAX); }

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

/* One to seven bytes as the low ones of a word, reading none beyond them. */
static inline uint64_t tail(const uint8_t *from, size_t count)
{
	uint32_t low4, high4;
	uint16_t low2, high2;

	if (count >= 4) {
		memcpy(&low4, from, 4);
		memcpy(&high4, from + count - 4, 4);
		return low4 | (uint64_t)high4 << 8 * (count - 4);
	}
	if (count >= 2) {
		memcpy(&low2, from, 2);
		memcpy(&high2, from + count - 2, 2);
		return low2 | (uint64_t)high2 << 8 * (count - 2);
	}
	return *from;
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
			word = tail(from + index, rest);
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

#endif
