/* SPDX-License-Identifier: MIT */
/*
 * Situations that could keep slabd's loop busy: each a slabd of its own with
 * clients around it, honest and not. One list for the test, which asserts
 * what they do, and the bench, which shows the loop's own histogram of turns.
 *
 *   situation_open -- processes of the situation -- situation_close
 *                                                   '-- turns, audit, end
 */
#ifndef TESTS_LIB_SITUATION_H
#define TESTS_LIB_SITUATION_H

#include "tests/lib/harness.h"
#include "tests/lib/turns.h"

/* For check, for stress and the quick bench, for the bench. */
enum situation_scale { SITUATION_SHORT, SITUATION_LONG, SITUATION_FULL };

struct situation_run {
	struct fixture fixture;
	enum situation_scale scale;
	struct turns turns; /* once it is closed */
	char what[64];      /* the longest of them */
	const char *skipped; /* why, or NULL */
	char note[160];      /* what else was seen */
};

struct situation {
	const char *name;
	const char *says;
	void (*run)(struct situation_run *run);
};

/* The last has no name. */
extern const struct situation situations[];

/* Runs one; its results go to TAP. */
void situation_run(const struct situation *situation,
                   enum situation_scale scale, struct situation_run *run);

/* ---- for the situations themselves ---------------------------------------- */

/* One of the three, by the scale; a sanitizer gets the first. */
unsigned situation_of(const struct situation_run *run, unsigned shorts,
                      unsigned longs, unsigned full);

/* MiB to grow to: as many, or what half of the machine's memory gives. */
unsigned situation_mib(const struct situation_run *run, unsigned shorts,
                       unsigned longs, unsigned full);

/* Reads the turns, audits, ends slabd. */
void situation_close(struct situation_run *run);

/* The turns so far, for a slabd that is about to end. */
void situation_look(struct situation_run *run);

/* A client that allocates mib of objects of size at its node, writes into each, says
 * how many it has, and holds them until it hears something. */
struct grower {
	const struct fixture *fixture;
	const char *pool;
	uint64_t mib;
	size_t size;
	int node; /* -1: where it runs */
};
void situation_grower(int fd, void *grower);

/* Objects that a grower is to have. */
uint64_t situation_wants(const struct grower *grower);

/* One who opens and closes the pool all the time, or asks for a document. */
struct asker {
	struct fixture *fixture;
	const char *path; /* NULL: the clients' socket, of that pool */
	const char *pool;
	struct asked *asked; /* shared with its process */
	struct child child;
};
void situation_ask(struct asker *asker, struct fixture *fixture,
                   const char *path, const char *pool);

/* Ends it; one result: all its questions were answered. */
void situation_asked(struct asker *asker);

/* Situations, by file. */
void situation_grow_4k(struct situation_run *run);
void situation_grow_2m(struct situation_run *run);
void situation_grow_1g(struct situation_run *run);
void situation_grow_watched(struct situation_run *run);
void situation_grow_ended(struct situation_run *run);
void situation_grow_stopped(struct situation_run *run);
void situation_files_held(struct situation_run *run);
void situation_files_locked(struct situation_run *run);
void situation_rings_one(struct situation_run *run);
void situation_rings_lists(struct situation_run *run);
void situation_rings_leases(struct situation_run *run);
void situation_rings_crowd(struct situation_run *run);
void situation_deaths_crowd(struct situation_run *run);
void situation_deaths_ids(struct situation_run *run);
void situation_deaths_burst(struct situation_run *run);
void situation_wide_idle(struct situation_run *run);
void situation_wide_nodes(struct situation_run *run);
void situation_door_rights(struct situation_run *run);
void situation_door_half(struct situation_run *run);
void situation_door_readers(struct situation_run *run);
void situation_door_log(struct situation_run *run);

#endif
