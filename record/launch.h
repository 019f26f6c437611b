/* SPDX-License-Identifier: MIT */
/* How the program is started, and its end. */
#ifndef RECORD_LAUNCH_H
#define RECORD_LAUNCH_H

#include "record/options.h"
#include "record/ring.h"

#include <stdbool.h>
#include <sys/types.h>

struct launch {
	pid_t pid;
	bool follow;
	bool is_script; /* what is run is its interpreter */
	bool has_ended; /* and with follow, all that it started, too */
	int status;     /* to exit with then */
};

/* First of all: what is a fault of writing is no signal, and signals that are sent
 * to slab-record wait for launch_nap, which passes them on. */
void launch_signals(void);

/* Starts the program, with the memfd of the rings for it to find. 0, or
 * an exit status when that is said. */
int launch_start(struct launch *launch, const struct options *options,
                 struct ring_file *file, int fd);

/* Sleeps so long, or until the program ends or a signal comes. */
void launch_nap(struct launch *launch, unsigned ms);

#endif
