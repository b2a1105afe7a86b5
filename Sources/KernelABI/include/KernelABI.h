#include "../../../bpf/record.h"
