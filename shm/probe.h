/* SPDX-License-Identifier: MIT */
/*
 * Static probes, for tracers that attach to them by name: provider slabd, in the
 * library and in slabd. Each is an instruction that does nothing, and a note in the
 * file of where its arguments are; where <sys/sdt.h> is not there, it is nothing.
 * slabd_probes(7) lists them: names, order and meaning of the arguments are what
 * scripts rely on.
 */
#ifndef SHM_PROBE_H
#define SHM_PROBE_H

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE(name, a, b, c, d) DTRACE_PROBE4(slabd, name, a, b, c, d)
#endif
#endif
#ifndef PROBE
#define PROBE(name, a, b, c, d) \
	((void)(a), (void)(b), (void)(c), (void)(d))
#endif

/* A client's thread took objects from a list: id, cache's name, objects, bytes of
 * each. */
#define probe_refill(id, cache, n, bytes) PROBE(refill, id, cache, n, bytes)
/* It sent some home: id, objects, refused, bytes of all. */
#define probe_flush(id, n, refused, bytes) PROBE(flush, id, n, refused, bytes)

/* slabd has more pages: pool's name, node, pages, ns. */
#define probe_grow(pool, node, pages, ns) PROBE(grow, pool, node, pages, ns)
/* A slice of a sweep: pool's name, objects freed, leases broken, bits of lists
 * repaired. */
#define probe_sweep(pool, objects, leases, bits)                               \
	PROBE(sweep, pool, objects, leases, bits)
/* A slab is lent to another node's list, or returned: pool's name, cache's name,
 * home, to. */
#define probe_lend(pool, cache, home, to) PROBE(lend, pool, cache, home, to)
#define probe_return(pool, cache, home, from)                                  \
	PROBE(return, pool, cache, home, from)
/* A page was moved: pool's name, page, from, to. */
#define probe_migrate(pool, page, from, to) PROBE(migrate, pool, page, from, to)

#endif
