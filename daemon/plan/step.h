/* SPDX-License-Identifier: MIT */
/* What a plan consists of: steps, each with its reason, and what is refused;
 * and the words for them that logs, reports and slabctl(1) have. */
#ifndef DAEMON_PLAN_STEP_H
#define DAEMON_PLAN_STEP_H

#include <stdbool.h>
#include <stdint.h>

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

/* Why a step is taken, or is not. names.c has the sentences. */
enum plan_reason {
	/* Taken. PLAN_PRESSED and PLAN_DRAINED are refusals, too. */
	PLAN_SHORT,        /* clients lack slabs here */
	PLAN_USED_THERE,   /* the page's users are at the other node */
	PLAN_LENDER_SHORT, /* the home needs it back */
	PLAN_LOAN_OVER,    /* the borrower can do without */
	PLAN_PRESSED,      /* the kernel is short of memory here */
	PLAN_IDLE,         /* empty for long */
	PLAN_ASKED,        /* slabctl trim */
	PLAN_DRAINED,      /* the node is to be emptied */
	/* Refused. */
	PLAN_NO_UNITS,    /* no free units, and no page to be had */
	PLAN_AT_LIMIT,    /* the pool may have no more pages here */
	PLAN_NO_EMPTY,    /* no empty slab of another cache */
	PLAN_SMALL_KEPT,  /* only slabs that other caches keep */
	PLAN_STRICT,      /* the cache takes the local node alone */
	PLAN_NONE_PLENTY, /* no node has plenty of the cache */
	PLAN_HELD,        /* moved too recently, the other way */
	PLAN_NO_RIGHT,    /* CAP_SYS_NICE is missing */
	PLAN_NO_ROOM,     /* no node has room for the page */
	PLAN_RATE,        /* enough moved for now */
	PLAN_TOO_DEAR,    /* costs more than it saves */
	PLAN_STUCK,       /* the kernel refused the page lately */
	PLAN_AT_FLOOR,    /* what is left is the configured floor */
	PLAN_NO_REASON,   /* none; and how many there are */
};

struct plan_step {
	enum plan_kind kind;
	enum plan_reason reason;
	uint32_t cache_ix; /* or PLAN_NONE */
	uint32_t from;     /* node that gives, or PLAN_NONE */
	uint32_t to;       /* node that gets; trim, shrink: the node */
	uint32_t n;        /* slabs that `to` gets; shrink: pages; a page: 1 */
	/* Reassign: the cache whose empty slabs are given up. Where it is
	 * cache_ix itself, nobody gets them and their units come free. n is
	 * what cache_ix gets and n_given what donor_ix gives, as their slabs
	 * may differ in size. */
	uint32_t donor_ix;
	uint32_t n_given;
	uint64_t page;     /* migrate, drain */
	uint32_t distance; /* between from and to, 10: the same */
	uint64_t bytes;    /* that are copied */
	/* Lend: the slabs are made on `from`, to stand on the list of `to`. */
	bool fresh;
};

/* A step without what only some kinds have. */
static inline struct plan_step plan_step_of(enum plan_kind kind,
                                            enum plan_reason reason,
                                            uint32_t cache_ix, uint32_t from,
                                            uint32_t to, uint64_t n)
{
	return (struct plan_step){kind, reason, cache_ix, from, to,
	                          (uint32_t)n, .donor_ix = PLAN_NONE};
}

struct plan_refusal {
	enum plan_kind kind; /* the step that would have helped */
	enum plan_reason reason;
	uint32_t cache_ix;
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

const char *plan_kind_name(enum plan_kind kind);       /* "lend" */
const char *plan_reason_name(enum plan_reason reason); /* "short" */
/* "clients lack slabs here" */
const char *plan_reason_text(enum plan_reason reason);
/* What to do about a refusal, or "". */
const char *plan_reason_remedy(enum plan_reason reason);

#endif
