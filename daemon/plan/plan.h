/* SPDX-License-Identifier: MIT */
/*
 * plan = f(snapshot, config): what is to be done about memory that is short on
 * one node and idle on another, and why. Pure: no clock, no chance, no state
 * but what the snapshot says; the same two give the same plan. slabd applies
 * it (balance/balance.h), slabctl plan shows it, the simulator in tests/sim
 * runs it on machines that are not at hand.
 *
 * Steps for a shortage, cheapest first:
 *
 *   carve     from the node's own free units, or pages it may still take
 *   reassign  an empty slab of another cache on the node
 *   return    what the node has lent
 *   lend      a partial slab of the nearest node that has plenty, or a fresh one
 *   migrate   a page, live, to its users, so that another can come
 *   trim      clients are asked to flush what they hoard
 *
 * and when it is over, or memory is asked back:
 *
 *   return    a slab that was lent goes back to its home's list
 *   migrate   a page to where its users are
 *   reassign  an empty slab to nobody, so that its page comes free
 *   shrink    empty pages go back to the kernel
 *   drain     a page leaves a node that is being emptied
 *
 * ARCHITECTURE.md, "Balance", has the rules. Steps are to be applied in order;
 * one may turn out impossible, and the others still make sense. Nothing is
 * allocated, and a plan is bounded: PLAN_STEPS_MAX steps and as many refusals.
 * Numbers that make no sense give a plan that makes none, and no worse.
 */
#ifndef DAEMON_PLAN_PLAN_H
#define DAEMON_PLAN_PLAN_H

#include "daemon/plan/snapshot.h"

#define PLAN_NONE UINT32_MAX
#define PLAN_STEPS_MAX 512u

enum plan_kind {
	PLAN_CARVE,
	PLAN_REASSIGN,
	PLAN_LEND,
	PLAN_MIGRATE,
	PLAN_RETURN,
	PLAN_TRIM,
	PLAN_SHRINK,
	PLAN_DRAIN,
	PLAN_KINDS,
};

/* Why a step is taken, or is not. plan_reason_text has the sentence. */
enum plan_reason {
	/* taken; pressed and drained refuse, too */
	PLAN_SHORT,        /* clients lack slabs here */
	PLAN_USED_THERE,   /* the page's users are at the other node */
	PLAN_LENDER_SHORT, /* the home needs it back */
	PLAN_LOAN_OVER,    /* the borrower can do without */
	PLAN_PRESSED,      /* the kernel is short of memory here */
	PLAN_IDLE,         /* empty for long */
	PLAN_DRAINED,      /* the node is to be emptied */
	/* refused */
	PLAN_NO_UNITS,    /* no free units, and no page to be had */
	PLAN_AT_LIMIT,    /* the pool may have no more pages here */
	PLAN_NO_EMPTY,    /* no empty slab of another cache */
	PLAN_SMALL_KEPT,  /* only slabs that small caches keep */
	PLAN_STRICT,      /* the cache takes the local node alone */
	PLAN_NONE_PLENTY, /* no node has plenty of the cache */
	PLAN_HELD,        /* moved too recently, the other way */
	PLAN_NO_RIGHT,    /* CAP_SYS_NICE is missing */
	PLAN_NO_ROOM,     /* no node has room for the page */
	PLAN_RATE,        /* enough moved for now */
	PLAN_TOO_DEAR,    /* costs more than it saves */
	PLAN_STUCK,       /* the kernel refused the page lately */
	PLAN_AT_FLOOR,    /* what is left is the configured floor */
	PLAN_NO_REASON,
};

struct plan_step {
	enum plan_kind kind;
	enum plan_reason reason;
	uint32_t cache; /* index, or PLAN_NONE */
	uint32_t from;  /* node that gives, or PLAN_NONE */
	uint32_t to;    /* node that gets; trim, shrink: the node */
	uint32_t n;     /* slabs that `to` gets; shrink: pages; a page: 1 */
	/* Reassign: the cache whose slabs are emptied. The same as `cache`:
	 * nobody gets them, their units are free then. n is what `cache` gets,
	 * and n_given what `donor` gives: their slabs may differ in size. */
	uint32_t donor;
	uint32_t n_given;
	uint64_t page;     /* migrate, drain */
	uint32_t distance; /* between from and to, 10: the same */
	uint64_t bytes;    /* that are copied */
	/* Lend: the slabs are made on `from`, to stand on the list of `to`. */
	bool fresh;
};

struct plan_refusal {
	enum plan_kind kind; /* the step that would have helped */
	enum plan_reason reason;
	uint32_t cache;
	uint32_t node;
};

struct plan {
	uint32_t n_steps;
	uint32_t n_refusals;
	uint32_t more_steps; /* that did not fit: plan again */
	uint32_t more_refusals;
	struct plan_step steps[PLAN_STEPS_MAX];
	struct plan_refusal refusals[PLAN_STEPS_MAX];
};

/* Fills plan. work is scratch of plan_work_bytes(snapshot) bytes. */
void plan_make(struct plan *plan, const struct snapshot *snap,
                 const struct plan_config *config, void *work);
uint64_t plan_work_bytes(const struct snapshot *snap);

/* "lend"; "clients lack slabs here". */
const char *plan_kind_name(enum plan_kind kind);
const char *plan_reason_name(enum plan_reason reason); /* "short" */
const char *plan_reason_text(enum plan_reason reason);

#endif
