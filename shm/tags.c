/* SPDX-License-Identifier: MIT */
/* The operations on single tags, and those whose speed does not matter. */
#include "shm/tags.h"

#include "shm/atom.h"
#include "shm/layout.h"

void tags_init_srv(uint16_t *tags, uint32_t n, uint32_t n_lines)
{
	for (uint32_t i = 0; i < n_lines * TAGS_PER_LINE; i++)
		atom_store(&tags[i], (uint16_t)(i < n ? TAG_FREE : TAG_NONE));
}

uint32_t tags_pad_srv(uint16_t *tags, uint32_t n, uint32_t n_lines)
{
	uint32_t wrong = 0;
	for (uint32_t i = n; i < n_lines * TAGS_PER_LINE; i++) {
		if (atom_load(&tags[i]) == TAG_NONE)
			continue;
		atom_store(&tags[i], (uint16_t)TAG_NONE);
		wrong++;
	}
	return wrong;
}

bool tags_ungive_own(uint16_t *tag, uint16_t own, uint16_t other)
{
	/* pairs: tags_sweep_srv; one of the two has it. */
	return atom_cas(tag, &other, own);
}

void tags_tally_srv(const uint16_t *tags, uint32_t n, uint32_t stride,
                    struct tags_tally *tally)
{
	/* Runs of one owner are the rule: count each before adding it. */
	for (uint32_t i = 0; i < n;) {
		uint16_t owner = atom_load(&tags[i]);
		uint32_t run = tags_run(tags, i, n);
		tally->objects[owner] += run;
		tally->bytes[owner] += (uint64_t)run * stride;
		i += run;
	}
}
