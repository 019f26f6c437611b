/* SPDX-License-Identifier: MIT */
/* The parameters of one request, from its query and its body. */
#ifndef DAEMON_ADMIN_QUERY_H
#define DAEMON_ADMIN_QUERY_H

#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "daemon/admin/http.h"

struct evhttp_request;

struct admin_query {
	struct evkeyvalq kv;
	int32_t pid; /* who asks; -1 */
	int64_t uid;
};

/* Fills q in, which admin_query_done empties in any case. *status is 200; or
 * something else, and what it gives is the answer. */
json_t *admin_query_read(struct admin_query *q, const struct admin_route *route,
                         struct evhttp_request *req, int *status);
void admin_query_done(struct admin_query *q);

#endif
