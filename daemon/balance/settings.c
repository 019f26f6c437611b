/* SPDX-License-Identifier: MIT */
#include "daemon/balance/settings.h"

void balance_settings(struct plan_config *plan,
                      const struct config_balance *config)
{
	*plan = (struct plan_config){
		.lend_keep_slabs = config->lend_keep,
		.lend_slabs_max = config->enabled ? config->lend_max : 0,
		.hold_ms = config->hold_ms,
		.hold_max_ms = config->hold_max_ms,
		.migrate_bytes = config->migrate_rate,
		.migrate_cost = config->migrate_cost,
		.may_migrate = config->enabled && config->migrate,
		.far_is_tier = config->far_is_tier,
		.keep_slabs = config->keep_slabs,
		.idle_ms = config->idle_s * 1000u,
	};
}

void balance_default_settings(struct plan_config *plan)
{
	struct config_balance config;
	config_default_balance(&config);
	balance_settings(plan, &config);
}
