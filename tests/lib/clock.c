/* SPDX-License-Identifier: MIT */
#include "tests/lib/clock.h"

#include "daemon/base/clock.h"
#include "shm/atom.h"

int64_t __real_clock_ns(void);
int64_t __wrap_clock_ns(void);

static int64_t set_ns; /* 0: the kernel's time */
static int64_t jump_ns;

int64_t __wrap_clock_ns(void)
{
	int64_t step_ns = atom_load(&jump_ns);
	int64_t ns = atom_load(&set_ns);
	if (ns != 0 && step_ns != 0)
		ns = atom_add(&set_ns, step_ns) + step_ns;
	return ns != 0 ? ns : __real_clock_ns();
}

void test_clock_jump(int64_t ns)
{
	if (ns != 0)
		test_clock_advance(ns);
	atom_store(&jump_ns, ns);
}

void test_clock_set(int64_t ns)
{
	atom_store(&set_ns, ns);
}

void test_clock_advance(int64_t ns)
{
	atom_store(&set_ns, clock_ns() + ns);
}

void test_clock_run(void)
{
	atom_store(&jump_ns, INT64_C(0));
	atom_store(&set_ns, 0);
}
