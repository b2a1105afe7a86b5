#ifndef HV_FIND_H
#define HV_FIND_H

#include <stddef.h>

/* The first place of `needle` in `text`, NULL where it is not: memmem(3), in time proportional to the lengths whatever the bytes. */
const void *hv_find(const void *text, size_t length, const void *needle, size_t needle_length);

#endif
