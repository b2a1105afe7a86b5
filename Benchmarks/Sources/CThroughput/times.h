/* Points in time as RFC 3339 has them, by the means of TimestampWriter. */
#ifndef TIMES_H
#define TIMES_H

#include "CThroughput.h"
#include "text.h"

/* Days since 1970 to "YYYY-MM-DD", by eras of 400 years that begin in March. */
static __attribute__((noinline)) void date(struct bench_date *date, int64_t day)
{
	int64_t shifted = day + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	uint64_t of_era = shifted - era * 146097;
	uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t march_month = (5 * of_year + 2) / 153;
	uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
	uint64_t year = year_of_era + era * 400 + (month <= 2);

	date->day = day;
	pair((uint8_t *)date->text, year / 100);
	pair((uint8_t *)date->text + 2, year % 100);
	date->text[4] = '-';
	pair((uint8_t *)date->text + 5, month);
	date->text[7] = '-';
	pair((uint8_t *)date->text + 8, of_year - (153 * march_month + 2) / 5 + 1);
}

static inline uint8_t *timestamp(struct bench_json *json, uint8_t *out, int64_t nanoseconds)
{
	int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000, day, second;
	uint64_t fraction;
	const struct bench_date *cached;

	if (rest < 0) {
		seconds--;
		rest += 1000000000;
	}
	fraction = rest;
	if (seconds < -62167219200) {
		seconds = -62167219200; /* 0000-01-01T00:00:00 */
		fraction = 0;
	} else if (seconds > 253402300799) {
		seconds = 253402300799; /* 9999-12-31T23:59:59 */
		fraction = 999999999;
	}
	day = seconds / 86400;
	second = seconds % 86400;
	if (second < 0) {
		day--;
		second += 86400;
	}
	cached = &json->dates[day & 3];
	if (day != cached->day)
		date(&json->dates[day & 3], day);
	memcpy(out, cached->text, 10);
	out[10] = 'T';
	pair(out + 11, second / 3600);
	out[13] = ':';
	pair(out + 14, second / 60 % 60);
	out[16] = ':';
	pair(out + 17, second % 60);
	out[19] = '.';
	out[20] = '0' + fraction / 100000000;
	store_eight(out + 21, eight(fraction % 100000000));
	out[29] = 'Z';
	return out + 30;
}

static inline uint8_t *boottime(struct bench_json *json, uint8_t *out, uint64_t time)
{
	return timestamp(json, out, (int64_t)time + json->realtime_offset);
}

#endif
