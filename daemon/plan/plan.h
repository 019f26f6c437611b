/* SPDX-License-Identifier: MIT */
/*
 * plan = f(snapshot, config): what is to be done about memory that is short on
 * one node and idle on another, and why. Pure: no clock, no chance, no state
 * but what the snapshot says; the same two give the same plan. slabd applies
 * it (balance/balance.h), slabctl plan shows it, the simulator in tests/sim runs it on
 * machines that are not at hand.
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
 * allocated, and a plan is bounded: POLICY_STEPS_MAX steps and as many refusals.
 * Numbers that make no sense give a plan that makes none, and no worse.
 */
#ifndef DAEMON_PLAN_PLAN_H
#define DAEMON_PLAN_PLAN_H

#include "daemon/plan/snapshot.h"

#define POLICY_NONE UINT32_MAX
#define POLICY_STEPS_MAX 512u

enum policy_kind {
	POLICY_CARVE,
	POLICY_REASSIGN,
	POLICY_LEND,
	POLICY_MIGRATE,
	POLICY_RETURN,
	POLICY_TRIM,
	POLICY_SHRINK,
	POLICY_DRAIN,
	POLICY_KINDS,
};

/* Why a step is taken, or is not. policy_reason_text has the sentence. */
enum policy_reason {
	/* taken; pressed and drained refuse, too */
	POLICY_SHORT,        /* clients lack slabs here */
	POLICY_USED_THERE,   /* the page's users are at the other node */
	POLICY_LENDER_SHORT, /* the home needs it back */
	POLICY_LOAN_OVER,    /* the borrower can do without */
	POLICY_PRESSED,      /* the kernel is short of memory here */
	POLICY_IDLE,         /* empty for long */
	POLICY_DRAINED,      /* the node is to be emptied */
	/* refused */
	POLICY_NO_UNITS,    /* no free units, and no page to be had */
	POLICY_AT_LIMIT,    /* the pool may have no more pages here */
	POLICY_NO_EMPTY,    /* no empty slab of another cache */
	POLICY_SMALL_KEPT,  /* only slabs that small caches keep */
	POLICY_STRICT,      /* the cache takes the local node alone */
	POLICY_NONE_PLENTY, /* no node has plenty of the cache */
	POLICY_HELD,        /* moved too recently, the other way */
	POLICY_NO_RIGHT,    /* CAP_SYS_NICE is missing */
	POLICY_NO_ROOM,     /* no node has room for the page */
	POLICY_RATE,        /* enough moved for now */
	POLICY_TOO_DEAR,    /* costs more than it saves */
	POLICY_STUCK,       /* the kernel refused the page lately */
	POLICY_AT_FLOOR,    /* what is left is the configured floor */
	POLICY_REASONS,
};

struct policy_step {
	enum policy_kind kind;
	enum policy_reason reason;
	uint32_t cache; /* index, or POLICY_NONE */
	uint32_t from;  /* node that gives, or POLICY_NONE */
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

struct policy_refusal {
	enum policy_kind kind; /* the step that would have helped */
	enum policy_reason reason;
	uint32_t cache;
	uint32_t node;
};

struct policy_plan {
	uint32_t n_steps;
	uint32_t n_refusals;
	uint32_t more_steps; /* that did not fit: plan again */
	uint32_t more_refusals;
	struct policy_step steps[POLICY_STEPS_MAX];
	struct policy_refusal refusals[POLICY_STEPS_MAX];
};

/* What slabd uses until told otherwise. */
void policy_defaults(struct policy_config *config);

/* Fills plan. work is scratch of policy_work_bytes(snapshot) bytes. */
void policy_make(struct policy_plan *plan, const struct policy_snapshot *snap,
                 const struct policy_config *config, void *work);
uint64_t policy_work_bytes(const struct policy_snapshot *snap);

/* "lend"; "clients lack slabs here". */
const char *policy_kind_name(enum policy_kind kind);
const char *policy_reason_name(enum policy_reason reason); /* "short" */
const char *policy_reason_text(enum policy_reason reason);

#endif
