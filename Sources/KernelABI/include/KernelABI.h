#ifndef HV_KERNEL_ABI_H
#define HV_KERNEL_ABI_H

#include <stddef.h>
#include "../../../bpf/record.h"
#include "layout.h"

enum hv_family { HV_FAMILY_EXEC, HV_FAMILY_FILE, HV_FAMILY_MODULE, HV_FAMILIES };

/*
 * The prebuilt BPF object of a family for this machine's architecture (an ELF file,
 * bpf/prebuilt), or NULL for a family there is none of. `fetching`: the build that
 * uses fetching atomics (kernels from 5.12). The bytes live as long as the program.
 */
const void *hv_object(enum hv_family family, int fetching, size_t *size);

#endif
