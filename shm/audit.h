/* SPDX-License-Identifier: MIT */
/*
 * Recounts every object of a pool from its tags and compares with every hint.
 *
 * Runs in slabd beside living clients, piece by piece: a piece is whole granules,
 * which no slab goes across, and between two pieces slabd may carve, reclaim,
 * lend and move slabs. So no slab is seen half changed; what has to be the same
 * over all pieces, the tag lines that slabs have, is told of each change.
 *
 * What a client may legitimately be in the middle of (a tag freed, its list bit
 * not yet set; a lease whose holder just died) is a suspect, looked at again for
 * a while before it counts. Bits that are set without need are no fault: the
 * design allows them, and whoever meets one clears it.
 *
 *   audit_piece_srv, until unit and list are at their ends
 *   audit_again_srv, a suspect at a time, over and over until none is left, or
 *   patience is over
 *   audit_end_srv: those that are left are faults
 */
#ifndef SHM_AUDIT_H
#define SHM_AUDIT_H

#include <stdbool.h>
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
	AUDIT_ROOT_OBJECT,   /* a root names what is not its */
	AUDIT_ROOT_ID,       /* an id that owns for no root, or a root without one */
	AUDIT_CLAUSES,
};

struct audit_fault {
	enum audit_clause clause;
	uint32_t unit; /* or of AUDIT_LIST_SUMMARY the list's index, of
	                  AUDIT_FILE_HELD the node's: one more is the shared
	                  file; of AUDIT_ROOT_ID an owner's id */
	uint64_t got;
	uint64_t want;
};

#define AUDIT_FAULTS_MAX 32u

#define AUDIT_SUSPECTS_MAX 256u

struct audit_suspect {
	enum audit_clause clause; /* AUDIT_LIST_DUE, _LIST_SUMMARY, _LEASE_HOLDER */
	uint32_t unit;            /* or a list's index */
	uint64_t word;            /* the slab's, or the lease's */
};

struct audit {
	/* in */
	const struct view *view;
	uint64_t *seen_lines;   /* bitmap of tag lines, zeroed by the caller */
	uint64_t n_lines;       /* its size in lines */
	/* By (cache - 1) * n_nodes + home, zeroed by the caller: the slabs that
	 * were seen. NULL: not wanted. */
	uint32_t *seen_slabs;
	/* The shared file, whose holes are passed over; -1: all is read. */
	int shared_fd;
	/* Looks, 100 us apart, at what is suspicious; for the whole run, which
	 * uses them up. */
	uint32_t patience;
	/* how far it is; zeroed by the caller */
	uint32_t unit; /* the next; below it, changes are to be told */
	uint64_t list; /* the next */
	uint32_t n_suspects;
	uint32_t again, kept; /* of them: looked at again, and suspects still */
	struct audit_suspect suspects[AUDIT_SUSPECTS_MAX];
	/* out; zeroed by the caller */
	uint64_t slabs, objects, free, owned;
	uint64_t orphans; /* owned by an id whose process died after the sweep
	                     freed the rest: the second sweep is due */
	uint64_t rooted;  /* of these, by roots */
	uint64_t lost;    /* objects that nobody owns and nobody can claim */
	uint64_t twice;   /* objects that two slabs hold */
	uint64_t wrong_hints;
	uint64_t n_faults; /* all, beyond those kept */
	struct audit_fault faults[AUDIT_FAULTS_MAX];
};

/* Looks at a granule of units, or at a list. False once all were looked at. */
bool audit_piece_srv(struct audit *audit);

/* Looks at the next suspect again. False once each was: those that are left are
 * the suspects then. */
bool audit_again_srv(struct audit *audit);

/* The suspects that are left are faults. */
void audit_end_srv(struct audit *audit);

/* All of it, asleep between looks at suspects. */
void audit_run_srv(struct audit *audit);

/* Tag lines are no slab's from now on. */
void audit_forget_lines(struct audit *audit, uint64_t line, uint64_t n);

/* Adds a fault that the caller found in its own books. */
void audit_fault(struct audit *audit, enum audit_clause clause, uint32_t unit,
                 uint64_t got, uint64_t want);

/* "list-due" and so on. */
const char *audit_clause_name(enum audit_clause clause);

/* One sentence on what it means and what to do. */
const char *audit_clause_text(enum audit_clause clause);

#endif
