/* SPDX-License-Identifier: MIT */
/*
 * A client with objects that forks: the child keeps the socket open when the
 * client is killed. Says the child's pid, and waits.
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/guest/fixture.h"

#define OBJECTS 1000

int main(void)
{
	slabd_cache *cache = fixture_cache(fixture_open(), "orphan", 256, 0);
	pid_t child;
	for (int i = 0; i < OBJECTS; i++) {
		if (slabd_alloc(cache) == NULL)
			return 1;
	}
	child = fork();
	if (child > 0)
		printf("child %d\n", (int)child);
	fflush(stdout);
	return child < 0 ? 1 : pause();
}
