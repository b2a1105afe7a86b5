#ifndef HV_LAYOUT_H
#define HV_LAYOUT_H

/* For tests: what C writes through the structs of record.h, Swift must read back. */

#define HV_LAYOUT_RECORD_MAX 1024

/*
 * Fills a whole record of a kind, every number of it with a value of its own (see
 * layout.c) and every string with its own text, and returns its size in
 * bytes (at most HV_LAYOUT_RECORD_MAX); 0 for a kind there is none of.
 */
__u32 hv_layout_fill(__u16 kind, unsigned char *record);

#endif
