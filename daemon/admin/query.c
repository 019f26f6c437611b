/* SPDX-License-Identifier: MIT */
#include "daemon/admin/query.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/log.h"

#define FORM "application/x-www-form-urlencoded"
#define UNSUPPORTED 415 /* media type */

const char *admin_query_get(const struct admin_query *q, const char *key)
{
	return evhttp_find_header(&q->kv, key);
}

int admin_query_uint(const struct admin_query *q, const char *key, uint64_t max,
                     uint64_t *value)
{
	const char *s = admin_query_get(q, key);
	unsigned long long v;
	if (!s)
		return -ENOENT;
	if (!*s || s[strspn(s, "0123456789")])
		return -EINVAL;
	errno = 0;
	v = strtoull(s, NULL, 10);
	if (errno != 0 || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

json_t *admin_text_new(const char *text)
{
	char shown[LOG_LINE_BYTES];
	json_t *string = json_string(text);
	if (string)
		return string;
	return json_string(log_escape(shown, sizeof(shown), text));
}

json_t *admin_error_new(const char *what, const char *remedy)
{
	return json_pack("{s:o, s:o}", "error", admin_text_new(what), "remedy",
	                 admin_text_new(remedy));
}

static bool takes_param(const char *params, const char *key)
{
	size_t len = strlen(key), n;
	for (; params && *params; params += n + strspn(params + n, " ")) {
		n = strcspn(params, " ");
		if (n == len && memcmp(params, key, n) == 0)
			return true;
	}
	return false;
}

static json_t *bad_query_new(const char *what, const char *path,
                             const char *params)
{
	json_t *remedy = params ? json_sprintf("parameters of %s: %s", path,
	                                       params)
	                        : json_sprintf("%s takes no parameters", path);
	return json_pack("{s:s, s:o}", "error", what, "remedy", remedy);
}

/* Moves what text says to q. False where it is no form, or has a zero byte, at
 * which a value would end. */
static bool add_pairs(struct admin_query *q, const char *text)
{
	struct evkeyvalq more;
	struct evkeyval *kv;
	bool good;
	TAILQ_INIT(&more);
	good = evhttp_parse_query_str(text, &more) == 0 && !strstr(text, "%00");
	while ((kv = TAILQ_FIRST(&more))) {
		TAILQ_REMOVE(&more, kv, next);
		TAILQ_INSERT_TAIL(&q->kv, kv, next);
	}
	return good;
}

/* Without its parameters: "; charset=UTF-8". */
static bool is_form(struct evhttp_request *req)
{
	const char *type = evhttp_find_header(
		evhttp_request_get_input_headers(req), "Content-Type");
	return type && strcspn(type, "; ") == strlen(FORM) &&
	       strncasecmp(type, FORM, strlen(FORM)) == 0;
}

/* *what is set where the body can't be read. */
static int read_body(struct admin_query *q, struct evhttp_request *req,
                     const char **what)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(req);
	size_t n = evbuffer_get_length(body);
	char text[ADMIN_BODY_MAX + 1];
	if (n == 0)
		return HTTP_OK;
	if (n > ADMIN_BODY_MAX) {
		*what = "the body is too large";
		return HTTP_ENTITYTOOLARGE;
	}
	if (!is_form(req)) {
		*what = "the body is not " FORM;
		return UNSUPPORTED;
	}
	evbuffer_copyout(body, text, n);
	text[n] = '\0';
	if (memchr(text, 0, n) || !add_pairs(q, text)) {
		*what = "malformed body";
		return HTTP_BADREQUEST;
	}
	return HTTP_OK;
}

static int read_pairs(struct admin_query *q, struct evhttp_request *req,
                      bool body, const char **what)
{
	const char *query =
		evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	if (query && *query && !add_pairs(q, query)) {
		*what = "malformed query";
		return HTTP_BADREQUEST;
	}
	return body ? read_body(q, req, what) : HTTP_OK;
}

/* Each parameter known, and there once. */
static const char *judge(const struct admin_query *q, const char *params)
{
	const struct evkeyval *kv, *other;
	for (kv = TAILQ_FIRST(&q->kv); kv; kv = TAILQ_NEXT(kv, next)) {
		if (!takes_param(params, kv->key))
			return "unknown parameter";
		for (other = TAILQ_NEXT(kv, next); other;
		     other = TAILQ_NEXT(other, next))
			if (strcmp(kv->key, other->key) == 0)
				return "a parameter is given twice";
	}
	return NULL;
}

static bool ask_caller(struct evhttp_request *req, struct ucred *cred)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev =
		evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;
	socklen_t size = sizeof(*cred);
	return bev && getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_PEERCRED,
	                         cred, &size) == 0;
}

static void read_caller(struct admin_query *q, struct evhttp_request *req)
{
	struct ucred cred;
	bool is = ask_caller(req, &cred);
	q->pid = is ? cred.pid : -1;
	q->uid = is ? (int64_t)cred.uid : -1;
}

bool admin_is_own(struct evhttp_request *req)
{
	struct ucred cred;
	return ask_caller(req, &cred) &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

json_t *admin_query_read(struct admin_query *q, const char *path,
                         const char *params, bool body,
                         struct evhttp_request *req, int *status)
{
	const char *what = NULL;
	TAILQ_INIT(&q->kv);
	read_caller(q, req);
	*status = read_pairs(q, req, body, &what);
	if (!what && (what = judge(q, params)))
		*status = HTTP_BADREQUEST;
	return what ? bad_query_new(what, path, params) : NULL;
}

void admin_query_done(struct admin_query *q)
{
	evhttp_clear_headers(&q->kv);
}

json_t *admin_bad_method_new(struct evhttp_request *req, bool get, bool post)
{
	evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
	                  get && post ? "GET, POST" : get ? "GET" : "POST");
	return admin_error_new("method not allowed",
	                       get && post ? "use GET to look, POST to change"
	                       : get       ? "use GET"
	                             : "use POST: it changes something");
}
