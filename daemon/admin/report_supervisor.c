/* SPDX-License-Identifier: MIT */
/* A supervisor that asks for the place of one that is lost. */
#include "daemon/admin/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/serve/guardian.h"

#define CONFLICT 409

json_t *report_supervisor(struct report *r)
{
	const char *socket = admin_query_get(r->query, "socket");
	const char *limit = admin_query_get(r->query, "watchdog_us");
	uint64_t limit_us = limit != NULL ? strtoull(limit, NULL, 10) : 0;
	int32_t pid = r->query->pid;
	int32_t has = 0;
	char what[80];
	int n = -EINVAL;
	if (socket != NULL && r->query->uid == geteuid())
		n = guardian_take(pid, socket, limit_us, &has);
	if (n == -EBUSY) {
		snprintf(what, sizeof(what),
		         "slabd has a supervisor, pid %d", has);
		report_fail(r, CONFLICT, what, "stop that one");
	} else if (n < 0) {
		report_fail(r, CONFLICT, "slabd takes no supervisor",
		            "this is for slabd --supervise alone");
	}
	if (n < 0)
		return r->error;
	log_info("the supervisor is pid %d now", pid);
	return json_pack("{s:i, s:i}", "pid", getpid(), "supervisor", pid);
}
