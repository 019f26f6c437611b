/* SPDX-License-Identifier: MIT */
/* The picture of a pool that a plan is made from. */
#ifndef DAEMON_BALANCE_SNAPSHOT_H
#define DAEMON_BALANCE_SNAPSHOT_H

#include "daemon/balance/own.h"
#include "daemon/balance/unmet.h"

enum snapshot_scope {
	SNAPSHOT_SHORT, /* what a shortage needs, within milliseconds */
	SNAPSHOT_LOOK,  /* what is due without one */
	SNAPSHOT_ALL,   /* every list counted */
};

/* Fills in balance->snap and balance->settings. unmet is what clients lack, NULL
 * for nothing. */
void snapshot_take(struct pool *pool, enum snapshot_scope scope,
                   const struct unmet *unmet);

#endif
