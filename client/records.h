/* SPDX-License-Identifier: MIT */
/*
 * What this process did last to each object that it has had, where it is checked
 * (checked.h): a table by offset, which grows and forgets nothing.
 *
 *   alloc, take --> IN_USE --free--> FREED
 *                     '-----give--> GIVEN      each -> IN_USE, by another alloc or
 *   slabd_prefill --> PUT_BY                   take of the same place
 *
 * One thread at a time. All of it is wiped in a forked child.
 */
#ifndef CLIENT_RECORDS_H
#define CLIENT_RECORDS_H

#include <stdint.h>

enum record_state { RECORD_NONE, RECORD_IN_USE, RECORD_FREED, RECORD_GIVEN,
                    RECORD_PUT_BY };

struct record {
	uint64_t off;       /* of the object in the pool's data */
	const void *site;   /* where the program called what did it */
	int32_t thread;     /* the kernel's number of who called */
	uint16_t to;        /* GIVEN: to which client */
	uint8_t state;      /* enum record_state; NONE: a place that is free */
};

struct records {
	struct record *at; /* NULL: none yet */
	uint64_t n_places; /* a power of two, or 0 */
	uint64_t n_used;
};

/* The record of an object, or NULL. */
const struct record *records_find(const struct records *records, uint64_t off);

/* Writes that of an object. Without memory for one that is new nothing is
 * written. */
void records_put(struct records *records, const struct record *record);

void records_done(struct records *records);

#endif
