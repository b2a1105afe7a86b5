/* Bytes, not characters: the 8-bit library, linked statically (the colon names the archive itself). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
