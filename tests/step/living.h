/* SPDX-License-Identifier: MIT */
/* Two clients that allocate, write, look and free all the time. */
#ifndef TESTS_STEP_LIVING_H
#define TESTS_STEP_LIVING_H

#include "tests/step/ward.h"

struct ward_stage *living_stage(void);
void living_end(struct ward *ward);
uint64_t living_owned(const struct ward *ward);

#endif
