/* SPDX-License-Identifier: MIT */
/* The settings of balance, of a running slabd. */
#include "daemon/admin/report.h"

#include <event2/http.h>
#include <string.h>

#include "daemon/base/log.h"

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

static json_t *keys_doc(struct server *server, struct pool *pool, void *arg)
{
	json_t *keys = json_array();
	const char *key;
	(void)server;
	(void)arg;
	for (unsigned i = 0; (key = config_balance_key(i)) != NULL; i++) {
		if (json_array_append_new(keys, key_doc(pool, key)) == 0)
			continue;
		json_decref(keys);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "name", report_text(pool->name), "keys",
	                 keys);
}

json_t *report_settings(void *arg, const struct admin_query *query,
                        int *status)
{
	return report_each(arg, query, status, keys_doc);
}

/* What a request sets, and from whom it is. */
struct setting {
	const char *key;
	const char *value;
	const struct admin_query *query;
};

static json_t *set_doc(struct server *server, struct pool *pool, void *arg)
{
	const struct setting *setting = arg;
	struct config_balance now = *balance_config(pool);
	char why[CONFIG_BALANCE_WHY];
	char old[CONFIG_BALANCE_VALUE];
	char new[CONFIG_BALANCE_VALUE];
	config_balance_get(&now, setting->key, old);
	if (config_balance_set(&now, setting->key, setting->value, why) < 0)
		return NULL;
	config_balance_get(&now, setting->key, new);
	balance_configure(pool, &now);
	machine_configure(server);
	duty_soon(server, 0);
	log_info("pool %s: %s set from %s to %s by pid %d, user %lld",
	         pool->name, setting->key, old, new,
	         admin_query_pid(setting->query),
	         (long long)admin_query_uid(setting->query));
	return json_pack("{s:o, s:s, s:s, s:s}", "name",
	                 report_text(pool->name), "key", setting->key, "old",
	                 old, "value", new);
}

/* Before any pool is changed: "key: what; allowed: what" as an answer. */
static json_t *check(const struct report_pools *pools,
                     const struct setting *setting, int *status)
{
	char why[CONFIG_BALANCE_WHY];
	char *allowed;
	for (unsigned i = 0; i < pools->n; i++) {
		struct config_balance now = *balance_config(pools->pool[i]);
		char printable[2 * CONFIG_BALANCE_WHY];
		if (config_balance_set(&now, setting->key, setting->value,
		                       why) == 0)
			continue;
		*status = HTTP_BADREQUEST;
		log_escape(printable, sizeof(printable), why);
		allowed = strstr(printable, "; allowed: ");
		if (allowed == NULL)
			return admin_error_new(printable, "");
		*allowed = '\0';
		return admin_error_new(printable, allowed + 2);
	}
	return NULL;
}

json_t *report_set(void *arg, const struct admin_query *query, int *status)
{
	struct setting setting = {admin_query_get(query, "key"),
	                          admin_query_get(query, "value"), query};
	struct report_pools pools;
	json_t *error = report_pick(&pools, arg, query, status);
	if (*status != HTTP_OK)
		return error;
	if (setting.key == NULL || setting.value == NULL) {
		*status = HTTP_BADREQUEST;
		return admin_error_new("no key or no value is given",
		                       "give both; GET /set shows all keys");
	}
	error = check(&pools, &setting, status);
	if (*status != HTTP_OK)
		return error;
	return json_pack("{s:o}", "pools",
	                 report_list(&pools, set_doc, &setting));
}
