/* SPDX-License-Identifier: MIT */
/* Sums over the lists of a fixture's documents, and what its log has. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"

static long long sum(const struct fixture *fixture, const char *path,
                     const char *list, const char *key, const char *and)
{
	json_t *doc = fixture_get(fixture, path);
	json_t *rows = json_at(doc, list);
	long long all = doc != NULL ? 0 : INT64_MIN;
	json_t *row;
	size_t i;
	json_array_foreach(rows, i, row)
		all += json_integer_value(json_object_get(row, key)) +
		       json_integer_value(json_object_get(row, and));
	json_decref(doc);
	return all;
}

long long fixture_used(const struct fixture *fixture)
{
	return sum(fixture, "/caches", "pools.0.caches", "used", "held");
}

long long fixture_owned(const struct fixture *fixture)
{
	return sum(fixture, "/clients", "pools.0.clients", "objects", "");
}

double fixture_until_used(const struct fixture *fixture, long long want,
                          unsigned limit_ms)
{
	double since = now_ms();
	while (fixture_used(fixture) != want) {
		if (now_ms() > since + limit_ms)
			return -1;
		sleep_ms(1);
	}
	return now_ms() - since;
}

/* A line is written beside the loop: it may be there a moment later. */
bool fixture_logged(const struct fixture *fixture, const char *text)
{
	char line[1100];
	bool found = false;
	for (unsigned i = 0; !found && i < 20; i++) {
		FILE *file;
		sleep_ms(i);
		file = fopen(fixture->log, "re");
		if (file == NULL)
			return false;
		while (!found && fgets(line, sizeof(line), file) != NULL)
			found = strstr(line, text) != NULL;
		fclose(file);
	}
	return found;
}
