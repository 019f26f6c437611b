/* SPDX-License-Identifier: MIT */
/* What the balance keeps (own.h) of a list, a node, a page. */
#ifndef DAEMON_BALANCE_PARTS_H
#define DAEMON_BALANCE_PARTS_H

#include "daemon/balance/history.h"
#include "daemon/pool/work.h"

/* When a list last gave or took slabs, and how often that changed; and what of
 * the snapshot stands on it. */
struct balance_held {
	int64_t at_ns;
	int64_t wanted_ns; /* clients last rang for it */
	bool wanted;       /* they ever did */
	bool any;          /* it ever gave or took */
	bool gained;
	uint8_t reversals;
	uint16_t first_loan; /* 1 + index of a loan to the list; 0: none */
	int64_t denied_ns;   /* clients last got nothing from it ... */
	uint32_t denied_n;   /* ... when they lacked so many slabs; 0: never */
	uint8_t denied_why;  /* enum plan_reason */
	uint32_t reuse_at;   /* unit where looks for empty slabs go on */
	uint32_t empty_end;  /* past the highest that was found empty */
};

/* A node on which clients are denied memory. */
struct balance_denied {
	uint64_t times; /* 0: they are not */
	int64_t since_ns;
	int64_t last_ns;
};

/* A list that clients take from, and what slabd makes ahead of that. */
struct ahead_list {
	uint32_t cell;
	uint32_t slabs;  /* that it ought to have ahead; 0: not in use */
	bool soon;       /* it was used up soon the last time */
	int64_t used_ns; /* when it last had less than that */
};

struct balance_past {
	uint64_t page;
	int64_t at_ns;
	bool stuck; /* it could not be moved */
};

/* The move of a page that is under way. */
struct balance_leaving {
	enum balance_cause cause;
	struct plan_step step;
	bool under_way;
};

/* Where the kernel has pages in a row (follow.c). */
struct balance_follow {
	uint64_t first;
	uint32_t n, next;
	uint32_t n_past; /* moves that there were, as it was asked */
	bool under_way;
	uint8_t at[WORK_AT];
};

/* Why slabd gave pages back by itself: the kernel is short of them, they were empty
 * for long. */
enum { TIDINGS_PRESSED, TIDINGS_IDLE, TIDINGS_GIVEN };

/* What the log was told, see tidings.h. */
struct tidings {
	bool lent, lent_said; /* slabs are; the log has a line of it */
	int64_t lent_ns;      /* since when */
	int64_t said_ns;      /* when the last begin was said; 0: none was */
	uint64_t left_out;    /* begins since then */
	bool drains[NODES_MAX], emptied[NODES_MAX]; /* and nothing is there */
	int64_t drains_ns[NODES_MAX];
	struct tidings_given {
		bool any;
		int64_t said_ns; /* 0: nothing was yet */
		uint64_t pages[NODES_MAX]; /* that are not said yet */
	} given[TIDINGS_GIVEN];
};

#endif
