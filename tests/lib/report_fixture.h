/* SPDX-License-Identifier: MIT */
/*
 * The fixture of the report tests: a server with a small real pool on two
 * pretended nodes, made by hand, and asked over HTTP as slabctl asks it. Every
 * good reply is also shown as slabctl would.
 */
#ifndef TESTS_LIB_REPORT_FIXTURE_H
#define TESTS_LIB_REPORT_FIXTURE_H

#include "daemon/admin/report.h"

#define MIB (UINT64_C(1) << 20)
#define STRIDE 96
#define PER_SLAB 682 /* 65536 / 96 */

extern struct server server;
extern struct pool *const first; /* the first, "default" */
extern uint32_t orders;         /* a cache in it, of STRIDE bytes */
extern int status;              /* of the last reply */

void set_up(void);
void tear_down(void);

/* One more pool, number i, of 2 to 8 MiB a node. */
void set_up_pool(unsigned i, const char *name);
uint32_t make_cache(struct pool *of, const char *name, uint64_t size);

/* slabd does nothing by itself that is not asked for: neither lends nor, for an
 * hour, returns. */
void hold_still(void);

/* A slab at home on one node and on the list of another. Its head unit. */
uint32_t carve(uint32_t cache, uint32_t home, uint32_t list);

/* A client that does not exist; its id. */
uint32_t join(const char *comm);
void claim(uint32_t id, uint32_t cache, uint32_t node, uint32_t n);

/* Gets a document. Then what stands at "pools/0/nodes/1/slabs" in it, which
 * must be there and of that type. */
void get(const char *path);
void post(const char *path, const char *form);
long long num(const char *path);
double real(const char *path);
const char *str(const char *path);
bool yes(const char *path);
size_t count(const char *path);

/* The object has just these keys; each has a space on both sides. */
void has_keys(const char *path, const char *keys);

/* Gets a document, and expects this error instead. */
void refused(const char *path, int want, const char *error,
             const char *remedy);

void post_refused(const char *path, const char *form, int want,
                  const char *error, const char *remedy);

#endif
