#include "KernelABI.h"

/* #embed is C23; this file is compiled as what the package says. */
#pragma clang diagnostic ignored "-Wc23-extensions"

/* libelf reads headers in place: aligned as in a file that is mapped. */
#define OBJECT(name) static const unsigned char name[] __attribute__((aligned(16)))

#if defined(__x86_64__)
OBJECT(exec_fetch) = {
#embed "../../bpf/prebuilt/x86_64/exec.o"
};
OBJECT(exec_no_fetch) = {
#embed "../../bpf/prebuilt/x86_64/exec.no-fetch.o"
};
OBJECT(file_fetch) = {
#embed "../../bpf/prebuilt/x86_64/file.o"
};
OBJECT(file_no_fetch) = {
#embed "../../bpf/prebuilt/x86_64/file.no-fetch.o"
};
OBJECT(module_fetch) = {
#embed "../../bpf/prebuilt/x86_64/module.o"
};
OBJECT(module_no_fetch) = {
#embed "../../bpf/prebuilt/x86_64/module.no-fetch.o"
};
#elif defined(__aarch64__)
OBJECT(exec_fetch) = {
#embed "../../bpf/prebuilt/aarch64/exec.o"
};
OBJECT(exec_no_fetch) = {
#embed "../../bpf/prebuilt/aarch64/exec.no-fetch.o"
};
OBJECT(file_fetch) = {
#embed "../../bpf/prebuilt/aarch64/file.o"
};
OBJECT(file_no_fetch) = {
#embed "../../bpf/prebuilt/aarch64/file.no-fetch.o"
};
OBJECT(module_fetch) = {
#embed "../../bpf/prebuilt/aarch64/module.o"
};
OBJECT(module_no_fetch) = {
#embed "../../bpf/prebuilt/aarch64/module.no-fetch.o"
};
#else
#error "no prebuilt BPF objects for this architecture: x86-64 and arm64 only"
#endif

struct object {
	const unsigned char *bytes;
	size_t size;
};
#define ENTRY(name) { name, sizeof(name) }
static const struct object objects[HV_FAMILIES][2] = {
	[HV_FAMILY_EXEC] = { ENTRY(exec_no_fetch), ENTRY(exec_fetch) },
	[HV_FAMILY_FILE] = { ENTRY(file_no_fetch), ENTRY(file_fetch) },
	[HV_FAMILY_MODULE] = { ENTRY(module_no_fetch), ENTRY(module_fetch) },
};

const void *hv_object(enum hv_family family, int fetching, size_t *size)
{
	const struct object *object;

	if ((unsigned int)family >= HV_FAMILIES)
		return NULL;
	object = &objects[family][fetching != 0];
	*size = object->size;
	return object->bytes;
}
