/* SPDX-License-Identifier: MIT */
/* Whether roots and owner tags agree. */
#ifndef DAEMON_POOL_ROOTS_AUDIT_H
#define DAEMON_POOL_ROOTS_AUDIT_H

#include "daemon/pool/pool.h"
#include "shm/audit.h"

/* Adds what is wrong with roots to an audit's faults. */
void roots_audit(const struct pool *pool, struct audit *audit);

#endif
