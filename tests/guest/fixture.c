/* SPDX-License-Identifier: MIT */
#include "tests/guest/fixture.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_MS 20000

static int failed;

bool fixture_ok(bool ok, const char *name, ...)
{
	va_list args;
	va_start(args, name);
	printf(ok ? "ok " : "not ok ");
	vprintf(name, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
	failed |= !ok;
	return ok;
}

int fixture_status(void)
{
	return failed;
}

static void die(const char *what, const char *why)
{
	printf("not ok %s: %s\n", what, why);
	exit(1);
}

void fixture_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("pin a thread", "sched_setaffinity failed");
}

int fixture_node_here(void)
{
	unsigned cpu, node;
	if (syscall(SYS_getcpu, &cpu, &node, NULL) != 0)
		return -1;
	return (int)node;
}

int fixture_node_of(void *object, size_t bytes)
{
	char *first = object;
	void *pages[2] = {first, first + bytes - 1};
	int status[2] = {-1, -1};
	/* The kernel knows only pages that this process has touched. */
	first[0] = 1;
	first[bytes - 1] = 1;
	if (syscall(SYS_move_pages, 0, 2ul, pages, NULL, status, 0) != 0)
		return -1;
	return status[0] == status[1] ? status[0] : -1;
}

/* Reads a list such as "0-2,4" from a file of the kernel's. */
static unsigned read_list(const char *path, int *list, unsigned max)
{
	FILE *file = fopen(path, "r");
	unsigned n = 0;
	int first, last;
	while (file != NULL && fscanf(file, "%d", &first) == 1) {
		int next = fgetc(file);
		last = first;
		if (next == '-' && fscanf(file, "%d", &last) == 1)
			next = fgetc(file);
		for (; first <= last && n < max; first++)
			list[n++] = first;
		if (next != ',')
			break;
	}
	if (n == 0)
		die(path, "no list");
	fclose(file);
	return n;
}

unsigned fixture_nodes(int nodes[FIXTURE_NODES_MAX])
{
	return read_list("/sys/devices/system/node/has_memory", nodes,
	                 FIXTURE_NODES_MAX);
}

unsigned fixture_cpus(int cpus[FIXTURE_CPUS_MAX])
{
	return read_list("/sys/devices/system/cpu/online", cpus,
	                 FIXTURE_CPUS_MAX);
}

/* By node id; the kernel's line is of the nodes that are online. */
static void read_distances(int node, int distance[FIXTURE_NODES_MAX])
{
	int online[FIXTURE_NODES_MAX], here;
	unsigned n = read_list("/sys/devices/system/node/online", online,
	                       FIXTURE_NODES_MAX);
	char path[80];
	FILE *file;
	unsigned got = 0;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/distance",
	         node);
	file = fopen(path, "r");
	while (file != NULL && got < n && fscanf(file, "%d", &here) == 1) {
		if (online[got] < FIXTURE_NODES_MAX)
			distance[online[got]] = here;
		got++;
	}
	if (got < n)
		die(path, "not a distance for each node");
	fclose(file);
}

unsigned fixture_nearest(int node, int nearest[FIXTURE_NODES_MAX])
{
	int distance[FIXTURE_NODES_MAX], nodes[FIXTURE_NODES_MAX];
	unsigned n = fixture_nodes(nodes);
	read_distances(node, distance);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;
		for (; at > 0 &&
		       distance[nearest[at - 1]] > distance[nodes[i]];
		     at--)
			nearest[at] = nearest[at - 1];
		nearest[at] = nodes[i];
	}
	return n;
}

int fixture_home(void)
{
	int nearest[FIXTURE_NODES_MAX];
	fixture_nearest(fixture_node_here(), nearest);
	return nearest[0];
}

slabd_pool *fixture_open(void)
{
	struct slabd_options options = {.wait_ms = WAIT_MS};
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		die("open the pool", slabd_last_error());
	return pool;
}

slabd_cache *fixture_cache(slabd_pool *pool, const char *name, size_t bytes,
                       unsigned flags)
{
	slabd_cache *cache = slabd_cache_create(pool, name, bytes, 0, flags);
	if (cache == NULL)
		die(name, slabd_last_error());
	return cache;
}
