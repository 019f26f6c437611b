/* SPDX-License-Identifier: MIT */
/*
 * A configuration that was read again, and one in force: what of it can be
 * applied to a slabd that serves, and what waits.
 *
 *   [slabd]      log_level and metrics; all else is for the next start
 *   [balance]    all of it, also over what slabctl set
 *   [pool NAME]  what pool/waiting.h says; a pool that is new or gone is for the
 *                next start
 */
#ifndef DAEMON_SERVE_APPLY_H
#define DAEMON_SERVE_APPLY_H

#include "daemon/conf/changes.h"
#include "daemon/serve/server.h"

#define APPLY_TEXT 420u

/* "[slabd] log_level info -> debug, [pool a] ..., and 2 more"; "" to begin with. */
struct apply_text {
	char text[APPLY_TEXT];
	unsigned n_more;
};

/* Has now, which the server and its pools run with, follow file; said gets each
 * key that holds from then on. Whether now is another one. No client is touched:
 * limits are for those to come. The level of the log and who gets metrics are the
 * caller's to see to. */
bool apply_config(struct server *server, struct config *now,
                  const struct config *file, struct apply_text *said);

/* Of [slabd], and of pools as a whole, what waits for the next start. */
struct apply_wait {
	char what[96];       /* a key; or "[pool NAME]" */
	const char *of_pool; /* NULL; or what it is in the file, "new" or "gone" */
	char file[CONFIG_CHANGE_BYTES];
	char running[CONFIG_CHANGE_BYTES];
};

/* The next one from the at-th on, which moves. False: no further one. */
bool apply_next_wait(const struct config *now, const struct config *file,
                     unsigned *at, struct apply_wait *out);

/* All that waits: for a restart of slabd, and for pools made anew. */
void apply_waits(const struct server *server, const struct config *now,
                 const struct config *file, struct apply_text *restart,
                 struct apply_text *anew);

#endif
