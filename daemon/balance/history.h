/* SPDX-License-Identifier: MIT */
/* The steps and refusals of the past, with their sums: what slabctl log and
 * slabctl status show. */
#ifndef DAEMON_BALANCE_HISTORY_H
#define DAEMON_BALANCE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/plan/plan.h"

enum balance_cause {
	BALANCE_SHORT,    /* clients were short of slabs */
	BALANCE_TIMER,    /* it was time for a look */
	BALANCE_PRESSURE, /* the kernel is short of memory */
	BALANCE_HAND,     /* slabctl asked for it */
	BALANCE_CAUSES,
};

/* A step or a refusal. The same again within the last few adds to times. */
struct balance_event {
	uint64_t seq;    /* from 1 on */
	int64_t at_ns;   /* by clock_ns */
	int64_t last_ns; /* when it last was so */
	enum balance_cause cause;
	bool refused;
	/* Of a refusal: kind, reason, cache, and `to` its node. */
	struct plan_step step;
	uint32_t times;
	uint64_t done;   /* slabs or pages; trim: clients asked */
	int error;       /* 0, or the mechanism's -errno */
	int64_t took_ns; /* the longest of its times */
	char text[200];  /* the kernel's reason, or "" */
};

/* Sums since the pool was made or taken over. */
struct balance_counts {
	uint64_t plans;
	uint64_t steps[PLAN_KINDS];  /* taken */
	uint64_t done[PLAN_KINDS];   /* slabs or pages of them */
	uint64_t failed[PLAN_KINDS]; /* steps that did nothing */
	uint64_t refused[PLAN_NO_REASON];
	uint64_t moved_bytes;
	int64_t plan_ns_max, snapshot_ns_max;
	int64_t move_ns_max; /* of one page, in the kernel */
};

#define HISTORY_EVENTS 256u

/*
 * The same events in a file that outlives slabd (pool/past.h). The event is written
 * first, then how many there are. A kill in between leaves the one that was being
 * written as it was before, or in parts as it is, each of which makes sense; of a ring
 * that is full it is the oldest.
 */
struct history_kept {
	uint64_t magic; /* of this form */
	uint64_t n_events;
	struct balance_event event[HISTORY_EVENTS];
};

struct history {
	struct balance_event event[HISTORY_EVENTS];
	struct history_kept *kept; /* or NULL */
	uint64_t n_events;
	const struct balance_event *noted; /* last, which may be an old one */
	struct balance_counts counts;
};

/* Keeps the events there from now on. same: what is there is of this pool, and comes
 * before all that follows if it makes sense for so many nodes and caches. How many
 * events that were. The history is empty. */
uint64_t history_keep(struct history *history, struct history_kept *kept,
                      bool same, uint32_t n_nodes, uint32_t n_caches);

/* Adds an event, of which seq, the times and `times` are filled in here. */
void history_note(struct history *history, const struct balance_event *event);

/* Adds what a plan refused, and counts it. */
void history_note_refusals(struct history *history, const struct plan *plan,
                           enum balance_cause cause);

/* Newest first: the i-th event, or NULL. */
const struct balance_event *history_event(const struct history *history,
                                          uint32_t i);

/* "shortage" */
const char *balance_cause_name(enum balance_cause cause);

/* Why a step did not do all that was asked, in words; "" of 0. */
const char *history_error_text(int error);

#endif
