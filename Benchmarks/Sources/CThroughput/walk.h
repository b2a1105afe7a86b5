/* One loop over a ring, as kernel/bpf/ringbuf.c and libbpf have it: the position is given back once a batch of at most a
 * quarter of the ring, as the Swift reader does. */
#ifndef WALK_H
#define WALK_H

#include <linux/bpf.h>

#define WALK(ring, ...)                                                                                     \
	do {                                                                                                    \
		unsigned long *consumer_ = (ring)->consumer;                                                        \
		const unsigned long *producer_ = (ring)->producer;                                                  \
		unsigned long mask_ = (ring)->size - 1, position_ = __atomic_load_n(consumer_, __ATOMIC_ACQUIRE);   \
		int busy_ = 0;                                                                                      \
		while (!busy_) {                                                                                    \
			unsigned long end_ = __atomic_load_n(producer_, __ATOMIC_ACQUIRE);                              \
			unsigned long batch_ = position_ + (ring)->size / 4;                                            \
			if (position_ >= end_)                                                                          \
				break;                                                                                      \
			while (position_ < end_ && position_ < batch_) {                                                \
				const uint8_t *header_ = (ring)->data + (position_ & mask_);                                \
				uint32_t word_ = __atomic_load_n((const uint32_t *)header_, __ATOMIC_ACQUIRE);              \
				if (word_ & BPF_RINGBUF_BUSY_BIT) {                                                         \
					busy_ = 1;                                                                              \
					break;                                                                                  \
				}                                                                                           \
				uint32_t size = word_ & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);                  \
				const uint8_t *record = header_ + BPF_RINGBUF_HDR_SZ;                                       \
				position_ += (size + BPF_RINGBUF_HDR_SZ + 7) & ~7ul;                                        \
				if (!(word_ & BPF_RINGBUF_DISCARD_BIT)) {                                                   \
					__VA_ARGS__                                                                             \
				}                                                                                           \
			}                                                                                               \
			__atomic_store_n(consumer_, position_, __ATOMIC_RELEASE);                                       \
		}                                                                                                   \
	} while (0)

#endif
