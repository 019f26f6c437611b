/* SPDX-License-Identifier: MIT */
#include "client/records.h"

#include <stddef.h>
#include <sys/mman.h>

#define FIRST_PLACES UINT64_C(1024)

static uint64_t bytes_of(uint64_t n_places)
{
	return n_places * sizeof(struct record);
}

/* Where a record is, or would be: what is taken before it is passed over.
 * Multiplicative hashing (Knuth, The Art of Computer Programming, 6.4). */
static struct record *place_of(const struct records *records, uint64_t off)
{
	uint64_t mask = records->n_places - 1;
	uint64_t ix = off * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	while (records->at[ix & mask].state != RECORD_NONE &&
	       records->at[ix & mask].off != off)
		ix++;
	return &records->at[ix & mask];
}

/* Twice as many places. Without memory it stays as it is. */
static void grow(struct records *records)
{
	struct records more = {.n_places = records->n_places > 0
	                                           ? 2 * records->n_places
	                                           : FIRST_PLACES};
	void *at = mmap(NULL, bytes_of(more.n_places), PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return;
	(void)madvise(at, bytes_of(more.n_places), MADV_WIPEONFORK);
	more.at = at;
	more.n_used = records->n_used;
	for (uint64_t i = 0; i < records->n_places; i++)
		if (records->at[i].state != RECORD_NONE)
			*place_of(&more, records->at[i].off) = records->at[i];
	records_done(records);
	*records = more;
}

const struct record *records_find(const struct records *records, uint64_t off)
{
	const struct record *found;
	if (records->at == NULL)
		return NULL;
	found = place_of(records, off);
	return found->state != RECORD_NONE ? found : NULL;
}

void records_put(struct records *records, const struct record *record)
{
	struct record *place;
	if (2 * records->n_used >= records->n_places)
		grow(records);
	if (records->at == NULL)
		return;
	place = place_of(records, record->off);
	if (place->state == RECORD_NONE) {
		/* One stays free, where a search ends. */
		if (records->n_used + 1 >= records->n_places)
			return;
		records->n_used++;
	}
	*place = *record;
}

void records_done(struct records *records)
{
	if (records->at != NULL)
		munmap(records->at, bytes_of(records->n_places));
	records->at = NULL;
	records->n_places = 0;
	records->n_used = 0;
}
