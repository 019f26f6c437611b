/* SPDX-License-Identifier: MIT */
/* The settings of balance, of a running slabd. */
#include "daemon/admin/report.h"
#include "daemon/conf/keys.h"

#include "daemon/base/log.h"
#include "daemon/serve/duty.h"
#include "daemon/serve/machine.h"

/* One key: its value, and what the configuration says. */
static json_t *key_doc(const struct pool *pool, const char *key)
{
	char now[CONFIG_BALANCE_VALUE];
	char file[CONFIG_BALANCE_VALUE];
	return json_pack("{s:s, s:s, s:s}", "key", key, "value",
	                 config_balance_get(balance_config(pool), key, now),
	                 "configured",
	                 config_balance_get(&pool->config->balance, key, file));
}

json_t *report_settings(struct report *r, struct pool *pool)
{
	json_t *keys = json_array();
	const char *key;
	(void)r;
	for (unsigned i = 0; (key = config_balance_key(i)) != NULL; i++)
		report_append(&keys, key_doc(pool, key));
	return json_pack("{s:o}", "keys", keys);
}

/* For slabctl save, which writes the file itself: where it is, and what pools that
 * the file has are set to. */
json_t *report_save(struct report *r)
{
	json_t *pools;
	unsigned n = 0;
	for (unsigned i = 0; i < r->n; i++)
		if (!r->pool[i]->config->leaving)
			r->pool[n++] = r->pool[i];
	r->n = n;
	if (r->server->file == NULL)
		report_fail(r, 409, "slabd has its configuration from what is no "
		            "file, or by a path that is too long",
		            "start it with --config FILE");
	pools = report_good(r) ? report_list(r, report_settings) : NULL;
	if (!report_good(r))
		return r->error;
	return json_pack("{s:o, s:o}", "file", report_text(r->server->file),
	                 "pools", pools);
}

/* What a request sets. */
struct setting {
	const char *key;
	const char *value;
};

static json_t *set_doc(struct report *r, struct pool *pool)
{
	const struct setting *setting = r->arg;
	struct config_balance now = *balance_config(pool);
	struct remedy why;
	char old[CONFIG_BALANCE_VALUE];
	char new[CONFIG_BALANCE_VALUE];
	config_balance_get(&now, setting->key, old);
	if (config_balance_set(&now, setting->key, setting->value, &why) < 0)
		return NULL;
	config_balance_get(&now, setting->key, new);
	balance_configure(pool, &now);
	machine_configure(r->server);
	duty_soon(r->server, 0);
	log_info("pool %s: %s set from %s to %s by pid %d, user %lld",
	         pool->name, setting->key, old, new, r->query->pid,
	         (long long)r->query->uid);
	return json_pack("{s:s, s:s, s:s}", "key", setting->key, "old", old,
	                 "value", new);
}

/* Before any pool is changed. */
static void check(struct report *r, const struct setting *setting)
{
	struct remedy why;
	for (unsigned i = 0; i < r->n && report_good(r); i++) {
		struct config_balance now = *balance_config(r->pool[i]);
		if (config_balance_set(&now, setting->key, setting->value,
		                       &why) == 0)
			continue;
		report_fail(r, HTTP_BADREQUEST, why.what, why.todo);
	}
}

json_t *report_set(struct report *r)
{
	struct setting setting = {admin_query_get(r->query, "key"),
	                          admin_query_get(r->query, "value")};
	r->arg = &setting;
	if (setting.key && setting.value)
		check(r, &setting);
	else
		report_fail(r, HTTP_BADREQUEST, "no key or no value is given",
		            "give both; GET /set shows all keys");
	return report_pools(r, set_doc);
}
