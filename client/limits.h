/* SPDX-License-Identifier: MIT */
/* Why this process may not have what a pool takes: its limits, in words. */
#ifndef CLIENT_LIMITS_H
#define CLIENT_LIMITS_H

#include <stdint.h>

/* That a pool can't be mapped, which takes so much address space. */
void limits_say_map(int error, uint64_t bytes);

/* That the helper thread can't be started. */
void limits_say_thread(int error);

/* That what a process needs once for all pools can't be had. */
void limits_say_start(int error);

#endif
