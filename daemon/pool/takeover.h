/* SPDX-License-Identifier: MIT */
/*
 * What a slabd that is started from this program would do about each pool of one
 * that still runs, whose files were passed as a service manager passes them, to
 * be read alone. By the same checks as pool/adopt.c; nothing is changed.
 */
#ifndef DAEMON_POOL_TAKEOVER_H
#define DAEMON_POOL_TAKEOVER_H

#include "daemon/conf/config.h"
#include "daemon/pool/waiting.h"

enum takeover_result {
	TAKEOVER_TAKEN,
	TAKEOVER_LEAVING, /* taken over, to end with its clients */
	TAKEOVER_NEW,     /* nothing was passed: it is made */
	TAKEOVER_ANEW,    /* what was passed is let go */
	TAKEOVER_REFUSED, /* left as it is, and served by nobody */
	TAKEOVER_DROPPED, /* let go, and no longer in slabd.conf */
};

struct takeover {
	char name[NAME_BYTES];
	enum takeover_result result;
	struct remedy why;       /* where it is not just taken over, or new */
	char note[REMEDY_BYTES]; /* what else is said of it, or "" */
	const char *kind;        /* of its pages; "" where it is not taken over */
	/* Settings that it could not follow. */
	unsigned n_waiting;
	struct waiting waiting[WAITING_MAX];
};

/* After fdstore_open, once. How many pools there are in out. */
unsigned takeover_look(const struct config *config, const struct topo *topo,
                       struct takeover out[CONFIG_POOLS_MAX]);

/* As JSON has it; and what its clients meet then, "" nothing. */
const char *takeover_name(enum takeover_result result);
const char *takeover_clients(enum takeover_result result);

#endif
