/* SPDX-License-Identifier: MIT */
/*
 * A slab's lease: the sole right to turn its free tags into owned ones, and
 * for slabd to reassign, lend or empty it. One word a head unit.
 *
 *    31          16 15           0
 *   +--------------+--------------+
 *   | epoch (low)  | id, 0: free  |      LEASE_SRV: slabd
 *   +--------------+--------------+
 *
 * Transitions: 0 -> holder (cas, lease_take_any), holder -> 0 (its own
 * lease_drop_own), dead holder -> 0 (slabd, lease_break_srv, in the sweep).
 * Holders are brief; nobody waits for one. A kill while held leaves claimed
 * tags under the dead id and perhaps a cleared list bit: the sweep frees the
 * former and sets the latter before it breaks the lease.
 *
 * The word belongs to the unit, not to the slab that began there: a client may
 * take it just after the slab was emptied. So a carve leaves it to a living
 * holder, who looks again, and the sweep goes over all units.
 */
#ifndef SHM_LEASE_H
#define SHM_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/atom.h"

#define LEASE_SRV 0xffffu
#define LEASE_ID(word) ((word) & 0xffffu)

static inline bool lease_take_any(uint32_t *lease, uint32_t id, uint32_t epoch)
{
	uint32_t none = 0;
	if (atom_load(lease) != 0)
		return false;
	/* pairs: lease_drop_own; the last holder's claims are seen. */
	return atom_cas(lease, &none, id | epoch << 16);
}

static inline void lease_drop_own(uint32_t *lease)
{
	/* pairs: lease_take_any; the next holder sees every claimed tag. */
	atom_store_release(lease, 0u);
}

/* Breaks a lease that a dead client held. True if it was held. */
static inline bool lease_break_srv(uint32_t *lease, uint32_t id)
{
	uint32_t seen = atom_load(lease);
	if (seen == 0 || LEASE_ID(seen) != id)
		return false;
	/* pairs: lease_take_any; the fence of sweep_at comes before, so that
	 * the next holder sees what was swept. */
	return atom_cas(lease, &seen, 0u);
}

#endif
