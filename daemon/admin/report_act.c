/* SPDX-License-Identifier: MIT */
/* What slabctl asks to be done about memory between nodes: each of them is one
 * call of balance/balance.h, checked before and logged after. */
#include "daemon/admin/report.h"

#include <errno.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "daemon/pool/caches.h"
#include "daemon/base/log.h"

#define CONFLICT 409
#define SLABS_MAX 65536u
/* Of one request: slabd does nothing else while it copies. */
#define MOVE_BYTES_MAX (UINT64_C(1) << 30)

/* lend and migrate. */
struct transfer {
	struct pool *pool;
	uint32_t cache; /* 0: any */
	uint32_t from;
	uint32_t to;
	uint64_t n;
	uint64_t done;
	char text[BALANCE_TEXT];
};

static void log_asked(const struct admin_query *query, const char *what)
{
	log_info("%s; asked for by pid %d, user %lld", what,
	         admin_query_pid(query), (long long)admin_query_uid(query));
}

/* Why balance/balance.h did not do it. What it says behind the last semicolon
 * is what to do about it; remedy, where it says none. */
static json_t *refuse(const char *text, const char *remedy, int *status)
{
	char printable[2 * BALANCE_TEXT];
	char *behind = NULL;
	char *next = log_escape(printable, sizeof(printable), text);
	*status = CONFLICT;
	while ((next = strstr(next, "; ")) != NULL) {
		behind = next;
		next += 2;
	}
	if (behind == NULL)
		return admin_error_new(printable, remedy);
	*behind = '\0';
	return admin_error_new(printable, behind + 2);
}

/* ---- lend, migrate ------------------------------------------------------ */

static json_t *parse(struct transfer *transfer, struct server *server,
                     const struct admin_query *query, bool lend, int *status)
{
	struct report_pools pools;
	uint64_t max = SLABS_MAX;
	json_t *error = report_param_pool(&pools, server, query, status);
	*transfer = (struct transfer){.n = 1};
	if (*status != HTTP_OK)
		return error;
	transfer->pool = pools.pool[0];
	if (!lend)
		max = MOVE_BYTES_MAX >> transfer->pool->view.geo.page_shift;
	if (max == 0)
		max = 1;
	error = report_param_cache(&pools, query, lend, status);
	if (*status == HTTP_OK && admin_query_get(query, "cache") != NULL)
		transfer->cache = caches_find(
		        transfer->pool, admin_query_get(query, "cache"));
	if (*status == HTTP_OK)
		error = report_param_node(transfer->pool, query, "from", true,
		                          &transfer->from, status);
	if (*status == HTTP_OK)
		error = report_param_node(transfer->pool, query, "to", true,
		                          &transfer->to, status);
	if (*status == HTTP_OK)
		error = report_param_count(query, "n", 1, max, &transfer->n,
		                           status);
	return error;
}

/* unit_bytes: of one slab, or page. */
static json_t *transfer_doc(const struct transfer *transfer,
                            uint64_t unit_bytes)
{
	const struct pool *pool = transfer->pool;
	return json_pack(
	        "{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "pool",
	        report_text(pool->name), "cache",
	        report_cache_name(pool, transfer->cache - 1), "from",
	        report_node_id(pool, transfer->from), "to",
	        report_node_id(pool, transfer->to), "n",
	        report_count(transfer->n), "done",
	        report_count(transfer->done), "bytes",
	        report_count(transfer->done * unit_bytes), "text",
	        report_text(transfer->text));
}

static void log_transfer(const struct admin_query *query,
                         const struct transfer *transfer, const char *what)
{
	const struct pool *pool = transfer->pool;
	char text[200];
	snprintf(text, sizeof(text),
	         "pool %s: %llu of %llu %s from node %u to node %u",
	         pool->name, (unsigned long long)transfer->done,
	         (unsigned long long)transfer->n, what,
	         pool->view.nodes[transfer->from].os_id,
	         pool->view.nodes[transfer->to].os_id);
	log_asked(query, text);
}

json_t *report_lend(void *arg, const struct admin_query *query, int *status)
{
	struct transfer transfer;
	json_t *error = parse(&transfer, arg, query, true, status);
	int r;
	if (*status != HTTP_OK)
		return error;
	r = balance_lend(transfer.pool, transfer.cache, transfer.from,
	                 transfer.to, (uint32_t)transfer.n, &transfer.done,
	                 transfer.text);
	duty_soon(arg, 0);
	log_transfer(query, &transfer, "slabs lent");
	if (r < 0)
		return refuse(transfer.text, "slabctl slabs and slabctl nodes "
		              "show what there is to lend", status);
	return transfer_doc(&transfer, report_slab_bytes(transfer.pool,
	                                                 transfer.cache));
}

json_t *report_migrate(void *arg, const struct admin_query *query, int *status)
{
	struct transfer transfer;
	json_t *error = parse(&transfer, arg, query, false, status);
	int r;
	if (*status != HTTP_OK)
		return error;
	r = balance_migrate(transfer.pool, transfer.cache, transfer.from,
	                    transfer.to, transfer.n, &transfer.done,
	                    transfer.text);
	duty_soon(arg, 0);
	log_transfer(query, &transfer, "pages moved");
	if (r < 0)
		return refuse(transfer.text, "slabctl nodes shows what each "
		              "node has and may have", status);
	return transfer_doc(&transfer, UINT64_C(1) <<
	                               transfer.pool->view.geo.page_shift);
}

/* ---- drain -------------------------------------------------------------- */

static void log_drain(const struct admin_query *query, const struct pool *pool,
                      uint32_t node, bool drain)
{
	char text[160];
	snprintf(text, sizeof(text), "pool %s: node %u is %s", pool->name,
	         pool->view.nodes[node].os_id,
	         drain ? "to be emptied" : "no longer to be emptied");
	log_asked(query, text);
}

static json_t *drained_doc(struct server *server, struct pool *pool, void *arg)
{
	const uint32_t *node = arg;
	const struct layout_node *row = &pool->view.nodes[*node];
	(void)server;
	return json_pack(
	        "{s:o, s:i, s:b, s:I}", "name", report_text(pool->name), "node",
	        row->os_id, "draining", row->drain != 0, "bytes",
	        report_count(row->resident_pages << pool->view.geo.page_shift));
}

/* All pools or none: a node is emptied to be taken away. */
static json_t *drain_all(const struct report_pools *pools,
                         const struct admin_query *query, uint32_t node,
                         bool drain, int *status)
{
	bool was[CONFIG_POOLS_MAX];
	char text[BALANCE_TEXT];
	for (unsigned i = 0; i < pools->n; i++) {
		was[i] = pools->pool[i]->view.nodes[node].drain != 0;
		if (balance_drain(pools->pool[i], node, drain, text) == 0)
			continue;
		while (i-- > 0)
			balance_drain(pools->pool[i], node, was[i],
			              (char[BALANCE_TEXT]){""});
		return refuse(text, "slabctl nodes shows which nodes are "
		              "drained; slabctl drain NODE --undo ends that of "
		              "one", status);
	}
	for (unsigned i = 0; i < pools->n; i++)
		if (was[i] != drain)
			log_drain(query, pools->pool[i], node, drain);
	return NULL;
}

static json_t *set_drain(struct server *server, const struct admin_query *query,
                         bool drain, int *status)
{
	struct report_pools pools;
	uint32_t node = PLAN_NONE;
	json_t *error = report_pick(&pools, server, query, status);
	if (*status == HTTP_OK)
		error = report_param_node(pools.pool[0], query, "node", true,
		                          &node, status);
	if (*status == HTTP_OK)
		error = drain_all(&pools, query, node, drain, status);
	duty_soon(server, 0);
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:o}", "pools",
	                 report_list(&pools, drained_doc, &node));
}

json_t *report_drain(void *arg, const struct admin_query *query, int *status)
{
	return set_drain(arg, query, true, status);
}

json_t *report_undrain(void *arg, const struct admin_query *query, int *status)
{
	return set_drain(arg, query, false, status);
}

/* ---- trim --------------------------------------------------------------- */

struct trim {
	const struct admin_query *query;
	uint32_t node; /* PLAN_NONE: all */
	bool ask;      /* clients, too */
};

static json_t *trim_doc(struct server *server, struct pool *pool, void *arg)
{
	const struct trim *trim = arg;
	uint64_t pages = 0;
	unsigned asked = 0;
	char why[BALANCE_TEXT] = "";
	char text[160];
	if (trim->ask)
		asked = server_trim(server, pool);
	balance_shrink(pool, trim->node, &pages, why);
	snprintf(text, sizeof(text),
	         "pool %s: %u clients asked to trim, %llu pages given back",
	         pool->name, asked, (unsigned long long)pages);
	log_asked(trim->query, text);
	return json_pack("{s:o, s:o, s:i, s:I, s:I, s:o}", "name",
	                 report_text(pool->name), "node",
	                 report_node_id(pool, trim->node), "asked", asked,
	                 "pages", report_count(pages), "bytes",
	                 report_count(pages << pool->view.geo.page_shift),
	                 "text", report_text(why));
}

/* Clients need some time to send home what they have: who asked them waits a
 * little and asks again, with ask=0. */
json_t *report_trim(void *arg, const struct admin_query *query, int *status)
{
	struct report_pools pools;
	struct trim trim = {.query = query, .node = PLAN_NONE};
	uint64_t ask = 1;
	json_t *error = report_pick(&pools, arg, query, status);
	if (*status == HTTP_OK)
		error = report_param_node(pools.pool[0], query, "node", false,
		                          &trim.node, status);
	if (*status == HTTP_OK)
		error = report_param_count(query, "ask", 0, 1, &ask, status);
	if (*status != HTTP_OK)
		return error;
	trim.ask = ask == 1;
	error = json_pack("{s:o}", "pools",
	                  report_list(&pools, trim_doc, &trim));
	duty_soon(arg, 0);
	return error;
}
