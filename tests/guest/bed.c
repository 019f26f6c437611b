/* SPDX-License-Identifier: MIT */
#include "tests/guest/bed.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_MS 20000

static int failed;

bool bed_ok(bool ok, const char *name, ...)
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

int bed_status(void)
{
	return failed;
}

static void die(const char *what, const char *why)
{
	printf("not ok %s: %s\n", what, why);
	exit(1);
}

void bed_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("pin a thread", "sched_setaffinity failed");
}

int bed_node_here(void)
{
	unsigned cpu, node;
	if (syscall(SYS_getcpu, &cpu, &node, NULL) != 0)
		return -1;
	return (int)node;
}

int bed_node_of(void *object, size_t bytes)
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

static void read_distances(int node, int distance[BED_NODES])
{
	char path[80];
	FILE *file;
	int n = 0;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/distance",
	         node);
	file = fopen(path, "r");
	while (file != NULL && n < BED_NODES &&
	       fscanf(file, "%d", &distance[n]) == 1)
		n++;
	if (n < BED_NODES)
		die(path, "not four distances");
	fclose(file);
}

void bed_nearest(int node, int nearest[BED_NODES])
{
	int distance[BED_NODES];
	read_distances(node, distance);
	for (int i = 0; i < BED_NODES; i++) {
		int at = i;
		for (; at > 0 && distance[nearest[at - 1]] > distance[i]; at--)
			nearest[at] = nearest[at - 1];
		nearest[at] = i;
	}
}

slabd_pool *bed_open(void)
{
	struct slabd_options options = {.wait_ms = WAIT_MS};
	slabd_pool *pool = slabd_open(NULL, &options);
	if (pool == NULL)
		die("open the pool", slabd_last_error());
	return pool;
}

slabd_cache *bed_cache(slabd_pool *pool, const char *name, size_t bytes,
                       unsigned flags)
{
	slabd_cache *cache = slabd_cache_create(pool, name, bytes, 0, flags);
	if (cache == NULL)
		die(name, slabd_last_error());
	return cache;
}
