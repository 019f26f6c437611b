/* SPDX-License-Identifier: MIT */
/* What "slabctl doctor" finds. */
#ifndef TESTS_LIB_DOCTOR_H
#define TESTS_LIB_DOCTOR_H

#include "tests/lib/harness.h"

/* Whether there is a finding of that urgency whose text has that in it. Notes all
 * there are. */
bool doctor_says(const struct fixture *fixture, const char *what,
                 const char *urgency);

#endif
