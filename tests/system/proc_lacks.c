/* SPDX-License-Identifier: MIT */
/* What the configuration asks for and the machine lacks: said, and no fault. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/harness.h"

#define SMALL "[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n"
#define MANY "max_clients = 16384\n"
#define TINY "page = 4k\nstart = 2M\n"

static struct fixture fixture;

/* 5 pools of 25 %, one above a node of 1 GiB, and clients without end. */
static const char lacking[] =
	"[slabd]\ntopology = node:1 core:1 pu:1\n"
	"[pool a]\n" TINY "[pool b]\n" TINY "[pool c]\n" TINY
	"[pool d]\n" TINY "[pool e]\n" TINY MANY
	"[pool f]\n" TINY "max = 2G\n";

static void few_files(void)
{
	static const struct rlimit few = {4096, 4096};
	setrlimit(RLIMIT_NOFILE, &few);
}

static void says_lacks(struct fixture *it, const char *where)
{
	tap_ok(fixture_logged(it, "key \"max\" in [pool f] is 2048 MiB, and "
	                          "node 0 has 1024 MiB"),
	       "%s: a pool above its node", where);
	tap_ok(fixture_logged(it, "key \"max\" of 5 pools, a (25%), b (25%), "),
	       "%s: 25 %% five times over", where);
}

/* Runs slabd --check-config; its exit status. */
static int check_config(struct fixture *it)
{
	char command[600];
	snprintf(command, sizeof(command),
	         "'%s/daemon/slabd' --check-config --config %s --socket %s "
	         "--control %s >%s 2>&1",
	         getenv("builddir") ? getenv("builddir") : ".", it->config,
	         it->socket, it->control, it->log);
	return system(command);
}

static void test_lacks(void)
{
	fixture_make(&fixture, "%s", lacking);
	tap_is(check_config(&fixture), 0, "what the machine lacks is no fault");
	says_lacks(&fixture, "--check-config");
	tap_ok(fixture_logged(&fixture, "slabd: warning: key "), "as a warning");
	fixture_remove(&fixture);
	fixture_make(&fixture, "%s", lacking);
	fixture_spawn(&fixture, few_files);
	tap_ok(fixture_ready(&fixture), "slabd starts");
	says_lacks(&fixture, "at the start");
	tap_ok(fixture_logged(&fixture, "key \"max_clients\" is 21504 of all "
	                                "pools") &&
	               fixture_logged(&fixture, "may have 4096"),
	       "at the start: too few descriptors");
	fixture_close(&fixture);
	fixture_open(&fixture, SMALL);
	tap_ok(!fixture_logged(&fixture, "key \""), "what fits is no matter");
	fixture_close(&fixture);
}

int main(void)
{
	tap_start(300);
	test_lacks();
	return tap_end();
}
