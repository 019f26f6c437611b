/* SPDX-License-Identifier: MIT */
/*
 * Whether the machine has what the configuration promises. Nothing here is an
 * error: slabd runs with less, and what it says comes before somebody is denied
 * memory, or let in no more.
 */
#ifndef DAEMON_SERVE_FITS_H
#define DAEMON_SERVE_FITS_H

#include <sys/resource.h>

#include "daemon/conf/config.h"
#include "numa/topo.h"

/* What there is. */
struct fits_machine {
	const struct topo *topo;
	uint64_t huge_bytes[2][TOPO_NODES_MAX]; /* of 2 MiB pages, of 1 GiB pages */
	rlim_t files; /* that slabd may have open, RLIM_INFINITY: any number */
};

/* What it lacks: key and numbers; and what to do. Longer than a struct remedy, as
 * pools are named. */
struct fits_lack {
	char what[512];
	char todo[160];
};

/* All zero to begin with. Each pool may be too large, all of them together; and of
 * two kinds of hugepages, and of descriptors, there may be too few. */
#define FITS_LACKS_MAX (CONFIG_POOLS_MAX + 4u)
struct fits_lacks {
	unsigned n;
	struct fits_lack lack[FITS_LACKS_MAX];
};

/* Descriptors that slabd has open when all of its pools are full. */
uint64_t fits_files(const struct config *config, const struct topo *topo);

/* Adds each thing that the machine lacks. Pure, but for the limits of the control
 * group that a share is cut to. */
void fits_check(const struct config *config, const struct fits_machine *machine,
                struct fits_lacks *lacks);

/* The same, of the machine that slabd runs on. */
void fits_look(const struct config *config, const struct topo *topo,
               struct fits_lacks *lacks);

/* And logged. */
void fits_say(const struct config *config, const struct topo *topo);

#endif
