/* SPDX-License-Identifier: MIT */
/* Two clients that allocate, write, look and free all the time. */
#ifndef TESTS_LIB_BACKGROUND_CLIENTS_H
#define TESTS_LIB_BACKGROUND_CLIENTS_H

#include "tests/lib/traced_pool.h"

struct ward_stage *living_stage(void);
void living_end(struct ward *ward);
uint64_t living_owned(const struct ward *ward);

#endif
