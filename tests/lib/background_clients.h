/* SPDX-License-Identifier: MIT */
/* Two clients that allocate, write, look and free all the time. */
#ifndef TESTS_LIB_BACKGROUND_CLIENTS_H
#define TESTS_LIB_BACKGROUND_CLIENTS_H

#include "tests/lib/traced_pool.h"

struct traced_pool_stage *background_stage(void);
void background_end(struct traced_pool *traced);
uint64_t background_owned(const struct traced_pool *traced);

#endif
