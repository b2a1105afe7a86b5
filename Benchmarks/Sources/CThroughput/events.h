/* The writers by kind of record. */
#ifndef EVENTS_H
#define EVENTS_H

#include "CThroughput.h"

/* Each writes one event; NULL for one that it does not know. */
uint8_t *exec_event(struct bench_json *json, uint8_t *out, const struct hv_exec *exec);
uint8_t *exit_event(struct bench_json *json, uint8_t *out, const struct hv_exit *exit);
uint8_t *file_event(struct bench_json *json, uint8_t *out, const struct hv_file *file);

#endif
