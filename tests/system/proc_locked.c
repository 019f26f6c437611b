/* SPDX-License-Identifier: MIT */
/*
 * A client's call holds a pool's file as slabd is started again: that pool alone is
 * left as it was, and had again once the client has ended.
 */
#include <stdint.h>
#include <string.h>

#include "tests/lib/never.h"
#include "tests/lib/super.h"

static struct fixture fixture;

static long long left(void)
{
	json_t *doc = fixture_get(&fixture, "/status");
	long long n = (long long)json_array_size(json_at(doc, "left"));
	json_decref(doc);
	return n;
}

static bool opens(const char *name)
{
	struct slabd_options options = fixture_options(&fixture, 0);
	slabd_pool *pool = slabd_open(name, &options);
	return pool != NULL && slabd_close(pool) == 0;
}

int main(void)
{
	const struct never never = {&fixture, false};
	struct child holder;
	pid_t pid;
	tap_start(180);
	fixture_make(&fixture,
	             "[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n"
	             "[pool other]\npage = 4k\nstart = 2M\nmax = 8M\n");
	pid = super_start(&fixture);
	child_start(&holder, never_ends, (void *)(uintptr_t)&never);
	if (hear(holder.fd) == 0) {
		tap_skip("userfaultfd is not to be had", "a held file");
		child_kill(&holder);
		super_stop(&fixture, pid, "without it");
		fixture_remove(&fixture);
		return tap_end();
	}
	pid = super_kill(&fixture, pid);
	tap_is(left(), 1, "held: one pool is left as it was");
	tap_ok(opens("other"), "the other one serves");
	tap_ok(!opens("default"), "and that one does not");
	child_kill(&holder);
	pid = super_kill(&fixture, pid);
	tap_is(left(), 0, "let go: both are taken over");
	tap_ok(opens("default") && opens("other"), "and serve");
	fixture_audit(&fixture, "in the end");
	super_stop(&fixture, pid, "with both");
	fixture_remove(&fixture);
	super_end();
	return tap_end();
}
