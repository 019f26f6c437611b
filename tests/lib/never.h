/* SPDX-License-Identifier: MIT */
/* A client whose call holds the lock of its pool's shared file until it is killed. */
#ifndef TESTS_LIB_NEVER_H
#define TESTS_LIB_NEVER_H

#include "tests/lib/harness.h"

struct never {
	const struct fixture *fixture;
	bool adds; /* memory as well, which slabd is to take away */
};

/* For child_start, with a struct never. Says 1 once it holds the file of the pool
 * default, or 0 where the kernel does not let it. */
void never_ends(int fd, void *arg);

#endif
