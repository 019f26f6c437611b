/* SPDX-License-Identifier: MIT */
/* One request's parameters, from its query and its body, and who asks. */
#ifndef DAEMON_ADMIN_QUERY_H
#define DAEMON_ADMIN_QUERY_H

#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define ADMIN_BODY_MAX 4096

struct evhttp_request;

/* What a builder keeps of a request from one call to the next (ADMIN_LATER). */
struct admin_later {
	void *job; /* its own, of malloc; freed with the request ... */
	void (*done)(void *job); /* ... by this, if it has more to free */
	unsigned again_ms; /* when it is called again, below 1000 */
};

struct admin_query {
	const void *how; /* the route's */
	struct admin_later *later;
	struct evkeyvalq kv;
	/* The process that connected, as the kernel knows it; -1 where it does
	 * not. */
	int32_t pid;
	int64_t uid;
};

/*
 * Fills q in, which admin_query_done empties in any case. params are those that
 * path takes, each once, "pool cache node"; NULL: none. body: they may stand in
 * the body, too. *status is 200; or something else, and what it gives is the
 * answer.
 */
json_t *admin_query_read(struct admin_query *q, const char *path,
                         const char *params, bool body,
                         struct evhttp_request *req, int *status);
void admin_query_done(struct admin_query *q);

/* The decoded value of a parameter, or NULL. */
const char *admin_query_get(const struct admin_query *q, const char *key);

/*
 * The parameter as a decimal number: 0 with *value set, -ENOENT if absent
 * (*value untouched), -EINVAL if it is not a number from 0 to max.
 */
int admin_query_uint(const struct admin_query *q, const char *key, uint64_t max,
                     uint64_t *value);

/* A string; what is not UTF-8 is escaped as in the log. */
json_t *admin_text_new(const char *text);

/* {"error": what, "remedy": remedy}, as such strings; NULL when out of memory. */
json_t *admin_error_new(const char *what, const char *remedy);

/* The same of a path that takes another method, which the reply names. */
json_t *admin_bad_method_new(struct evhttp_request *req, bool get, bool post);

/* Whether root asks, or who this process runs as. */
bool admin_is_own(struct evhttp_request *req);

#endif
