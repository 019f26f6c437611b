/* SPDX-License-Identifier: MIT */
#include "daemon/admin/report.h"

#include <stdio.h>

#include "daemon/base/clock.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/looks.h"
#include "daemon/pool/roots.h"
#include "shm/lease.h"

/* Faults of a whole cache carry its id where others carry a unit. */
static bool of_cache(const struct audit_fault *fault)
{
	return fault->clause == AUDIT_LIST_SUMMARY ||
	       fault->clause == AUDIT_CACHE_COUNT ||
	       fault->clause == AUDIT_CACHE_OPEN;
}

static bool of_unit(const struct audit_fault *fault)
{
	return !of_cache(fault) && fault->clause != AUDIT_FILE_HELD &&
	       fault->clause != AUDIT_ROOT_ID;
}

static const char *cache_name(const struct pool *pool,
                              const struct audit_fault *fault)
{
	const struct layout_cache *row;
	uint32_t cache = fault->unit;
	if (fault->clause == AUDIT_ROOT_ID)
		return "none";
	if (!of_cache(fault))
		cache = WORD_CACHE(fault->clause == AUDIT_UNIT_TWICE
		                           ? fault->want
		                           : pool->view.words[fault->unit]);
	row = view_cache(&pool->view, cache);
	return row != NULL ? row->name : "none";
}

static unsigned node_id(const struct pool *pool, uint64_t node)
{
	return node < pool->view.geo.n_nodes ? pool->view.nodes[node].os_id
	                                     : (unsigned)node;
}

static int put_file(const struct pool *pool, const struct audit_fault *fault,
                    char *text, size_t n)
{
	bool over = fault->got > fault->want;
	uint64_t by = over ? fault->got - fault->want : fault->want - fault->got;
	char of[32] = "the shared file";
	if (fault->unit < pool->view.geo.n_nodes)
		snprintf(of, sizeof(of), "node %u",
		         pool->view.nodes[fault->unit].os_id);
	return snprintf(text, n, "%s holds %llu KiB, %llu KiB %s", of,
	                (unsigned long long)fault->got >> 10,
	                (unsigned long long)by >> 10,
	                over ? "too much" : "too little");
}

static int put_root(const struct pool *pool, const struct audit_fault *fault,
                    char *text, size_t n)
{
	const struct layout_root *root = roots_of(pool, (uint32_t)fault->want);
	return snprintf(text, n, "root %s, object 0x%llx",
	                root != NULL ? root->name : "that ended",
	                (unsigned long long)fault->got);
}

/* The numbers of a fault in words. Returns as snprintf. */
static int put_numbers(const struct pool *pool,
                       const struct audit_fault *fault, char *text, size_t n)
{
	unsigned long long got = fault->got;
	unsigned long long want = fault->want;
	uint64_t word = of_unit(fault) ? pool->view.words[fault->unit] : 0;
	switch (fault->clause) {
	case AUDIT_WORD_SHAPE:
		return snprintf(text, n, "word 0x%llx", got);
	case AUDIT_UNIT_TWICE:
		return snprintf(text, n, "word 0x%llx, expected 0x%llx", got,
		                want);
	case AUDIT_PAGE_READY:
		return snprintf(text, n, "page ready %llu, expected %llu", got,
		                want);
	case AUDIT_PAGE_HOME:
		return snprintf(text, n, "home is node %u, the page lies on "
		                "node %u", node_id(pool, got),
		                node_id(pool, want));
	case AUDIT_TAG_RUN:
		return snprintf(text, n, "tag lines from %llu on%s", got,
		                want ? ", out of range" : " are another's too");
	case AUDIT_TAG_PAD:
		return snprintf(text, n, "tag of object %llu is 0x%llx", want,
		                got);
	case AUDIT_TAG_OWNER:
		return snprintf(text, n, "owner %llu", got);
	case AUDIT_LIST_DUE:
		return snprintf(text, n, "bit %llu, expected %llu, list of "
		                "node %u", got, want,
		                node_id(pool, WORD_LIST(word)));
	case AUDIT_LIST_SUMMARY:
		return snprintf(text, n, "list of node %u",
		                node_id(pool, got));
	case AUDIT_LEASE_HOLDER:
		return snprintf(text, n, "holder %u, epoch %llu",
		                (unsigned)LEASE_ID(fault->got), got >> 16);
	case AUDIT_CACHE_COUNT:
	case AUDIT_CACHE_OPEN:
		return snprintf(text, n, "counted %llu, the table has %llu",
		                got, want);
	case AUDIT_FILE_HELD:
		return put_file(pool, fault, text, n);
	case AUDIT_ROOT_OBJECT:
		return put_root(pool, fault, text, n);
	case AUDIT_ROOT_ID:
		return snprintf(text, n, "id %u", fault->unit);
	case AUDIT_CLAUSES:
		break;
	}
	return snprintf(text, n, "got %llu, expected %llu", got, want);
}

static json_t *fault_doc(const struct pool *pool,
                         const struct audit_fault *fault, uint64_t n_more)
{
	char numbers[128];
	char text[448];
	char more[48] = "";
	char cache[NAME_BYTES + 16] = "";
	uint64_t unit = of_unit(fault) ? fault->unit : 0;
	put_numbers(pool, fault, numbers, sizeof(numbers));
	if (n_more > 0)
		snprintf(more, sizeof(more), "; %llu more faults in this pool",
		         (unsigned long long)n_more);
	if (fault->clause != AUDIT_FILE_HELD &&
	    fault->clause != AUDIT_ROOT_ID)
		snprintf(cache, sizeof(cache), "; cache %s",
		         cache_name(pool, fault));
	snprintf(text, sizeof(text), "%s%s: %s%s",
	         audit_clause_text(fault->clause), cache, numbers, more);
	return json_pack("{s:s, s:I, s:o}", "clause",
	                 audit_clause_name(fault->clause), "slab",
	                 report_count(unit << UNIT_SHIFT), "detail",
	                 report_text(text));
}

/* The last fault that is kept says how many were not. */
static json_t *faults_doc(const struct pool *pool, const struct audit *audit)
{
	uint64_t kept = audit->n_faults < AUDIT_FAULTS_MAX ? audit->n_faults
	                                                   : AUDIT_FAULTS_MAX;
	json_t *list = json_array();
	for (uint64_t i = 0; i < kept; i++)
		report_append(&list,
		              fault_doc(pool, &audit->faults[i],
		                        i + 1 == kept ? audit->n_faults - kept
		                                      : 0));
	return list;
}

/* ---- what clients found -------------------------------------------------- */

static const struct {
	const char *clause;
	const char *text;
} of_found[FOUND_KINDS] = {
	[FOUND_TWICE] = {"held-twice",
	                 "a client freed an object twice, and will give it to two"},
	[FOUND_NOT_OWN] = {"held-not-own",
	                   "a client freed an object that it has not, and will "
	                   "give it to somebody"},
	[FOUND_INSIDE] = {"held-inside",
	                  "a client freed what is inside of an object, and will "
	                  "give it to somebody"},
};

static void put_owner(const struct pool *pool, const struct found *found,
                      char *text, size_t n)
{
	char name[NAME_BYTES] = "";
	if (found->kind == FOUND_NOT_OWN && found->owner == 0)
		snprintf(text, n, ", which is free,");
	else if (found->kind == FOUND_NOT_OWN && found->owner == found->client)
		snprintf(text, n, ", a gift that it has not taken,");
	else if (found->kind == FOUND_NOT_OWN) {
		clients_name(pool, found->owner, name);
		snprintf(text, n, ", which is client %u's (%s),", found->owner,
		         name);
	}
}

static json_t *found_doc(const struct pool *pool, const struct found *found,
                         bool more)
{
	char name[NAME_BYTES] = "";
	char owner[NAME_BYTES + 48] = "";
	char text[448];
	clients_name(pool, found->client, name);
	put_owner(pool, found, owner, sizeof(owner));
	snprintf(text, sizeof(text),
	         "%s; cache %s: 0x%llx%s held free by client %u (%s), process "
	         "%d: start that again, with SLABD_CHECKED=yes to see where%s",
	         of_found[found->kind].text,
	         pool->view.caches[found->cache - 1].name,
	         (unsigned long long)found->off, owner, found->client, name,
	         pool->view.clients[found->client].pid,
	         more ? "; clients found more" : "");
	return json_pack("{s:s, s:I, s:o}", "clause",
	                 of_found[found->kind].clause, "slab",
	                 report_count(found->off >> UNIT_SHIFT << UNIT_SHIFT),
	                 "detail", report_text(text));
}

/* Adds them to the faults, one of each client in any case; whether there are any. The
 * last says so where there are more. */
static bool add_found(const struct report *r, const struct pool *pool,
                      json_t **list)
{
	struct found found, next;
	struct found_at at = {0};
	bool any = found_next(r->server, pool, &r->job->look, &at, &found);
	bool more = any;
	while (more) {
		bool full;
		more = found_next(r->server, pool, &r->job->look, &at, &next);
		full = at.round > 0 &&
		       json_array_size(*list) + 1 >= 2 * AUDIT_FAULTS_MAX;
		report_append(list, found_doc(pool, &found, more && full));
		more = more && !full;
		found = next;
	}
	return any;
}

/* ---- the document -------------------------------------------------------- */

static const struct report_field fields[] = {
	REPORT_FIELD(audit, slabs),   REPORT_FIELD(audit, objects),
	REPORT_FIELD(audit, free),    REPORT_FIELD(audit, owned),
	REPORT_FIELD(audit, lost),    REPORT_FIELD(audit, twice),
	REPORT_FIELD(audit, orphans), REPORT_FIELD(audit, wrong_hints),
	REPORT_FIELD(audit, rooted),
};

static json_t *pool_doc(struct report *r, struct pool *pool)
{
	const struct audit *audit;
	bool *agree = r->arg;
	int64_t took_ns;
	json_t *doc, *faults;
	double ms;
	if (looks_audit(pool, r->job->asked_ns, &audit, &took_ns) != 0)
		return NULL;
	ms = (double)took_ns / CLOCK_MS;
	faults = faults_doc(pool, audit);
	*agree &= !add_found(r, pool, &faults) && audit->n_faults == 0;
	doc = report_fields(json_object(), audit, fields,
	                    sizeof(fields) / sizeof(fields[0]));
	return report_merge(doc,
	                    json_pack("{s:f, s:o}", "ms", ms, "faults", faults));
}

json_t *report_audit(struct report *r)
{
	bool agree = true;
	json_t *list;
	r->arg = &agree;
	list = report_list(r, pool_doc);
	return json_pack("{s:b, s:o}", "agree", agree, "pools", list);
}
