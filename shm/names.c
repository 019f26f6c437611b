/* SPDX-License-Identifier: MIT */
#include "shm/names.h"

#include <string.h>

#include "shm/atom.h"

#define NAME_WORDS (NAME_BYTES / sizeof(uint64_t))

void names_set_srv(struct layout_name *row, const char *name)
{
	uint32_t turns = atom_load(&row->turns);
	uint64_t *text = row->text[(turns + 1) % 2];
	uint64_t words[NAME_WORDS] = {0};
	strncpy((char *)words, name, NAME_BYTES - 1);
	/* pairs: names_read_any; who reads one of these words over the name before
	 * the last sees that there was a last. */
	atom_fence();
	for (unsigned i = 0; i < NAME_WORDS; i++)
		atom_store(&text[i], words[i]);
	/* pairs: names_read_any; the name is whole. */
	atom_store_release(&row->turns, turns + 1);
}

void names_read_any(const struct layout_name *row, char name[NAME_BYTES])
{
	uint64_t words[NAME_WORDS];
	uint32_t turns;
	do {
		/* pairs: names_set_srv */
		turns = atom_load_acquire(&row->turns);
		for (unsigned i = 0; i < NAME_WORDS; i++)
			words[i] = atom_load(&row->text[turns % 2][i]);
		/* pairs: names_set_srv */
		atom_fence();
	} while (atom_load(&row->turns) != turns);
	memcpy(name, words, NAME_BYTES);
	name[NAME_BYTES - 1] = '\0';
}
