/* SPDX-License-Identifier: MIT */
/*
 * slabctl advise: what a trace or a running slabd says of caches and pools that
 * are wider than need be, and a configuration that is not.
 */
#ifndef DAEMON_CTL_ADVISE_H
#define DAEMON_CTL_ADVISE_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/ctl/http.h"

#define CTL_ADVISE_SCHEMA 1
#define CTL_ADVISE_CACHES 16u /* of a trace, where nobody says how many */
#define CTL_ADVISE_CACHES_MAX 64u

struct ctl_advise {
	const char *trace; /* a file */
	const char *pool;  /* whose configuration it is to be; NULL: default */
	unsigned max_caches;
	bool tell; /* how far it is, on standard error */
};

/* What a trace says, a new document; NULL with the fault. */
json_t *ctl_advise_trace(const struct ctl_advise *advise,
                         struct ctl_http_fault *fault);

/* The name, in 64 bytes, of the cache in which a chosen one of the document was
 * played. */
void ctl_advise_cache(const json_t *cache, char *name);

/* Writes what a document of advice has of configuration, a drop-in for slabd, and
 * notes in it where that is. No other file is replaced. 0, or -1 with the fault. */
int ctl_advise_write(json_t *doc, const char *path,
                     struct ctl_http_fault *fault);

#endif
