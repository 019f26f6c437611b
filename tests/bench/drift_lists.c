/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "shm/partial.h"
#include "tests/bench/drift.h"

void drift_lists_read(struct drift_lists *lists, const struct view *view,
                      uint32_t cache)
{
	struct partial list[DRIFT_NODES];
	memset(lists, 0, sizeof(*lists));
	for (uint32_t node = 0; node < DRIFT_NODES; node++)
		list[node] = partial_of(view, cache, node);
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++) {
		uint64_t word = atom_load(&view->words[unit]);
		uint32_t on = WORD_LIST(word);
		if (WORD_CACHE(word) != cache || WORD_BACK(word) != 0)
			continue;
		lists->slabs[WORD_HOME(word)]++;
		if (!partial_has(&list[on], unit))
			continue;
		lists->listed[on]++;
		lists->foreign[on] += WORD_HOME(word) != on;
	}
}

static void print_row(const char *name, const uint32_t *row)
{
	printf(",\"%s\":[", name);
	for (int i = 0; i < DRIFT_NODES; i++)
		printf("%s%u", i > 0 ? "," : "", row[i]);
	printf("]");
}

void drift_lists_print(const struct drift_lists *lists)
{
	print_row("listed", lists->listed);
	print_row("foreign", lists->foreign);
	print_row("slabs", lists->slabs);
}
