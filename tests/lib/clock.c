/* SPDX-License-Identifier: MIT */
#include "tests/lib/clock.h"

#include <stdatomic.h>

#include "daemon/base/clock.h"

int64_t __real_clock_ns(void);
int64_t __wrap_clock_ns(void);

static _Atomic int64_t set_ns; /* 0: the kernel's time */

int64_t __wrap_clock_ns(void)
{
	int64_t ns = atomic_load(&set_ns);
	return ns != 0 ? ns : __real_clock_ns();
}

void test_clock_set(int64_t ns)
{
	atomic_store(&set_ns, ns);
}

void test_clock_advance(int64_t ns)
{
	atomic_store(&set_ns, clock_ns() + ns);
}

void test_clock_run(void)
{
	atomic_store(&set_ns, 0);
}
