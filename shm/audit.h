/* SPDX-License-Identifier: MIT */
/*
 * Recounts every object of a pool from its tags and compares with every hint.
 *
 * Runs in slabd beside living clients. What a client may legitimately be in
 * the middle of (a tag freed, its list bit not yet set) is looked at again for
 * a while before it counts. Bits that are set without need are no fault: the
 * design allows them, and whoever meets one clears it.
 */
#ifndef SHM_AUDIT_H
#define SHM_AUDIT_H

#include <stdint.h>

#include "shm/view.h"

/* The clauses, in the order of audit_clause_name. */
enum audit_clause {
	AUDIT_WORD_SHAPE,    /* a unit word that no carve writes */
	AUDIT_UNIT_TWICE,    /* a slab over units of another */
	AUDIT_PAGE_READY,    /* a slab on memory that is not faulted in */
	AUDIT_PAGE_HOME,     /* a slab that is not at home where its page lies */
	AUDIT_TAG_RUN,       /* tag lines out of range or of two slabs */
	AUDIT_TAG_PAD,       /* TAG_NONE on an object, or missing after them */
	AUDIT_TAG_OWNER,     /* an owner that is nobody */
	AUDIT_LIST_DUE,      /* free objects, but no bit on the list */
	AUDIT_LIST_SUMMARY,  /* a bit that its summary hides */
	AUDIT_LEASE_HOLDER,  /* a lease that nobody alive holds */
	AUDIT_CACHE_COUNT,   /* slabs of a cache, against slabd's own count */
	AUDIT_FILE_HELD,     /* bytes of a file, against slabd's books */
	AUDIT_CACHE_OPEN,    /* clients that have a cache open, the same */
	AUDIT_CLAUSES,
};

struct audit_fault {
	enum audit_clause clause;
	uint32_t unit; /* or of AUDIT_LIST_SUMMARY the list's index, of
	                  AUDIT_FILE_HELD the node's: one more is the shared
	                  file */
	uint64_t got;
	uint64_t want;
};

#define AUDIT_FAULTS_MAX 32u

struct audit {
	/* in */
	const struct view *view;
	uint64_t *seen_lines;   /* bitmap of tag lines, zeroed by the caller */
	uint64_t n_lines;       /* its size in lines */
	/* Looks, 100 us apart, at what is suspicious; for the whole run, which
	 * uses them up. */
	uint32_t patience;
	/* out; zeroed by the caller */
	uint64_t slabs, objects, free, owned;
	uint64_t orphans; /* owned by an id whose process died after the sweep
	                     freed the rest: the second sweep is due */
	uint64_t lost;    /* objects that nobody owns and nobody can claim */
	uint64_t twice;   /* objects that two slabs hold */
	uint64_t wrong_hints;
	uint64_t n_faults; /* all, beyond those kept */
	struct audit_fault faults[AUDIT_FAULTS_MAX];
};

/* Fills in the out part. */
void audit_run_srv(struct audit *audit);

/* Adds a fault that the caller found in its own books. */
void audit_fault(struct audit *audit, enum audit_clause clause, uint32_t unit,
                 uint64_t got, uint64_t want);

/* "list-due" and so on. */
const char *audit_clause_name(enum audit_clause clause);

/* One sentence on what it means and what to do. */
const char *audit_clause_text(enum audit_clause clause);

#endif
