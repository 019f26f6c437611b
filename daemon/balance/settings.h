/* SPDX-License-Identifier: MIT */
/*
 * [balance] as the plan reads it. slabd, the simulator, the benchmarks and the
 * tests all take the defaults of conf/config.h from here.
 */
#ifndef DAEMON_BALANCE_SETTINGS_H
#define DAEMON_BALANCE_SETTINGS_H

#include "daemon/conf/config.h"
#include "daemon/plan/snapshot.h"

/* Fills in plan from config. The plan may migrate one second's worth of bytes,
 * if config has pages migrated: the caller lowers that to what its bucket and
 * its rights allow. */
void balance_settings(struct plan_config *plan,
                      const struct config_balance *config);

/* The same, from the defaults. */
void balance_default_settings(struct plan_config *plan);

#endif
