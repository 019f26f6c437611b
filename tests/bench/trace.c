/* SPDX-License-Identifier: MIT */
#include "tests/bench/work.h"
const struct work_kind trace_kinds[] = {
	{NULL, NULL, NULL, NULL},
};
