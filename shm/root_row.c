/* SPDX-License-Identifier: MIT */
#include "shm/root_row.h"

#include <string.h>

#include "shm/view.h"

/* What it was is another's, or changes: the state and the owner say so. */
static bool read_row(const struct layout_root *row, const char *name,
                     struct root_seen *seen)
{
	/* pairs: roots_set_state; the row is whole. */
	if (atom_load_acquire(&row->state) != ROOT_LIVE)
		return false;
	seen->owner = atom_load(&row->owner);
	if (strncmp(row->name, name, NAME_BYTES) != 0)
		return false;
	/* pairs: roots_name; what its owner wrote there is seen. */
	seen->handle = atom_load_acquire(&row->handle);
	/* pairs: roots_set_state; what was read is no later root's. */
	atom_fence();
	return atom_load(&row->state) == ROOT_LIVE &&
	       atom_load(&row->owner) == seen->owner;
}

bool root_row_find_any(const struct view *view, const char *name,
                    struct root_seen *seen)
{
	for (uint32_t ix = 0; ix < ROOTS_MAX; ix++) {
		const struct layout_root *row = &view->roots[ix];
		if (atom_load(&row->state) == ROOT_NONE)
			break;
		if (read_row(row, name, seen))
			return true;
	}
	return false;
}

uint64_t root_row_word(const struct view *view, uint32_t id)
{
	uint64_t word;
	if (id - 1 >= CLIENT_ID_MAX)
		return 0;
	/* pairs: clients_set; an id is a root's only once it was swept. */
	word = atom_load_acquire(&view->clients[id].word);
	return (word & 0xff) == CLIENT_ROOT ? word : 0;
}
