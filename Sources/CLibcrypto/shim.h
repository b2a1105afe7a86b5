/*
 * OpenSSL's block functions by themselves: EVP would bring in the whole library with its providers, and allocates.
 * 3.0 discourages them, and nothing else.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
