/* SPDX-License-Identifier: MIT */
/* [balance] as the plan reads it. */
#include <criterion/criterion.h>

#include "daemon/balance/settings.h"

Test(settings, defaults_are_the_files)
{
	struct config_balance config;
	struct plan_config plan;
	config_default_balance(&config);
	balance_default_settings(&plan);
	cr_assert_eq(plan.lend_keep_slabs, config.lend_keep);
	cr_assert_eq(plan.lend_slabs_max, config.lend_max);
	cr_assert_eq(plan.hold_ms, config.hold_ms);
	cr_assert_eq(plan.hold_max_ms, config.hold_max_ms);
	cr_assert_eq(plan.migrate_bytes, config.migrate_rate);
	cr_assert_eq(plan.migrate_cost, config.migrate_cost);
	cr_assert_eq(plan.keep_slabs, config.keep_slabs);
	cr_assert_eq(plan.idle_ms, 1000 * config.idle_s);
	cr_assert(plan.may_migrate && !plan.far_is_tier);
}

Test(settings, what_is_off)
{
	struct config_balance config;
	struct plan_config plan;
	config_default_balance(&config);
	config.migrate = false;
	config.far_is_tier = true;
	balance_settings(&plan, &config);
	cr_assert(!plan.may_migrate && plan.lend_slabs_max > 0);
	cr_assert(plan.far_is_tier);
	config.migrate = true;
	config.enabled = false;
	balance_settings(&plan, &config);
	cr_assert(!plan.may_migrate && plan.lend_slabs_max == 0);
}
