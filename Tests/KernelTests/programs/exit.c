/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest-lived process: it does nothing but exit. */
#include <unistd.h>

int main(void) { _exit(0); }
