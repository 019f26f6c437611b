/* SPDX-License-Identifier: MIT */
/* Roots and channels that end with what they own, by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/report.h"
#include "daemon/admin/reports.h"
#include "daemon/base/log.h"
#include "daemon/pool/channels.h"
#include "daemon/pool/roots.h"
#include "daemon/serve/death.h"
#include "daemon/serve/server.h"

#define CONFLICT 409

struct removal {
	const char *key; /* of the name */
	const char *none;
	const char *shown;
	int (*end)(struct pool *pool, const char *name, struct remedy *why);
};

static int end_root(struct pool *pool, const char *name, struct remedy *why)
{
	return roots_end(pool, 0, name, 0, why);
}

static const struct removal root = {
	"root", "no root is named", "root, a name that slabctl roots shows",
	end_root};
static const struct removal channel = {
	"channel", "no channel is named",
	"channel, a name that slabctl channels shows", channels_remove};

/* What it has is freed by the sweep, a moment later. */
static json_t *take_away(struct report *r, const struct removal *removal)
{
	const char *action = admin_query_get(r->query, "action");
	struct pool *pool = report_param_pool(r);
	const char *name = admin_query_get(r->query, removal->key);
	unsigned *looks = r->job->own;
	struct remedy why;
	int n;
	if (report_good(r) && (!action || strcmp(action, "remove") != 0))
		report_fail(r, HTTP_BADREQUEST, "no such action",
		            "action, one of: remove");
	if (report_good(r) && !name)
		report_fail(r, HTTP_BADREQUEST, removal->none, removal->shown);
	if (!report_good(r))
		return r->error;
	if (looks == NULL)
		looks = r->job->own = calloc(1, sizeof(*looks));
	if (looks == NULL)
		return NULL;
	n = removal->end(pool, name, &why);
	if (n == -EBUSY && (*looks)++ < REPORT_LOOKS)
		return report_later(r, REPORT_LOOK_MS);
	if (n < 0) {
		report_fail(r, CONFLICT, why.what, why.todo);
		return r->error;
	}
	log_info("pool %s: %s %s removed; asked for by pid %d, user %lld",
	         pool->name, removal->key, name, r->query->pid,
	         (long long)r->query->uid);
	death_end_owners(r->server, pool);
	return json_pack("{s:o, s:o}", "pool", report_text(pool->name),
	                 removal->key, report_text(name));
}

json_t *report_root(struct report *r)
{
	return take_away(r, &root);
}

json_t *report_channel(struct report *r)
{
	return take_away(r, &channel);
}
