/* SPDX-License-Identifier: MIT */
#include "daemon/admin/dump.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"

#define WHOLE_BYTES 2048u

static const struct dump_form as_json;

static bool is_shown(const char *keys, const char *key)
{
	size_t len = strlen(key), n;
	for (; keys != NULL && *keys != '\0'; keys += n + strspn(keys + n, " ")) {
		n = strcspn(keys, " ");
		if (n == len && memcmp(keys, key, n) == 0)
			return true;
	}
	return keys == NULL;
}

/* Takes out of a value, and what is in it, what is not shown. */
static void cut(json_t *value, const char *keys)
{
	const char *key;
	json_t *part;
	void *next;
	size_t i;
	json_array_foreach(value, i, part)
		cut(part, keys);
	json_object_foreach_safe(value, next, key, part)
		if (is_shown(keys, key))
			cut(part, keys);
		else
			json_object_del(value, key);
}

static int put(const char *part, size_t len, void *arg)
{
	return evbuffer_add(arg, part, len);
}

static void put_text(struct dump *dump, const char *text, size_t len)
{
	dump->failed |= put(text, len, dump->text) < 0;
}

/* What most are goes in one piece, each of which costs a walk. */
static void put_whole(struct dump *dump, const json_t *value)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	char whole[WHOLE_BYTES];
	size_t n = json_dumpb(value, whole, sizeof(whole), flags);
	if (n > 0 && n <= sizeof(whole))
		put_text(dump, whole, n);
	else
		dump->failed |= json_dump_callback(value, put, dump->text,
		                                   flags) < 0;
}

static void put_key(struct dump *dump, const char *key)
{
	json_t *string = json_string(key);
	put_whole(dump, string);
	put_text(dump, ":", 1);
	json_decref(string);
}

/* A value, or what opens it. */
static void enter(struct dump *dump, json_t *value)
{
	struct dump_open *top = &dump->open[dump->depth];
	bool is_list = json_is_array(value);
	if (dump->depth == DUMP_DEPTH || (!is_list && !json_is_object(value))) {
		if (dump->form->keys != NULL)
			cut(value, dump->form->keys);
		put_whole(dump, value);
		return;
	}
	*top = (struct dump_open){
		.of = value,
		.iter = is_list ? NULL : json_object_iter(value)};
	dump->depth++;
	put_text(dump, is_list ? "[" : "{", 1);
}

static void step_list(struct dump *dump, struct dump_open *top)
{
	/* The one before is written. */
	if (top->at > 0)
		json_array_set_new(top->of, top->at - 1, json_null());
	if (top->at == json_array_size(top->of)) {
		dump->depth--;
		put_text(dump, "]", 1);
		return;
	}
	if (top->at > 0)
		put_text(dump, ",", 1);
	enter(dump, json_array_get(top->of, top->at++));
}

static void step_object(struct dump *dump, struct dump_open *top)
{
	void *iter = top->iter;
	while (iter != NULL && !is_shown(dump->form->keys,
	                                 json_object_iter_key(iter)))
		iter = json_object_iter_next(top->of, iter);
	if (iter == NULL) {
		dump->depth--;
		put_text(dump, "}", 1);
		return;
	}
	if (top->at++ > 0)
		put_text(dump, ",", 1);
	top->iter = json_object_iter_next(top->of, iter);
	put_key(dump, json_object_iter_key(iter));
	enter(dump, json_object_iter_value(iter));
}

void dump_begin(struct dump *dump, json_t *doc, const struct dump_form *form)
{
	*dump = (struct dump){.doc = doc, .text = evbuffer_new()};
	dump->failed = doc == NULL || dump->text == NULL;
	dump->form = form != NULL ? form : &as_json;
	if (!dump->failed && dump->form->type != NULL)
		put_text(dump, json_string_value(doc), json_string_length(doc));
	else if (!dump->failed)
		enter(dump, doc);
}

bool dump_some(struct dump *dump, int64_t until_ns)
{
	while (dump->depth > 0 && !dump->failed) {
		struct dump_open *top = &dump->open[dump->depth - 1];
		if (json_is_array(top->of))
			step_list(dump, top);
		else
			step_object(dump, top);
		if (clock_ns() >= until_ns)
			break;
	}
	return dump->depth > 0 && !dump->failed;
}

void dump_done(struct dump *dump)
{
	json_decref(dump->doc);
	if (dump->text != NULL)
		evbuffer_free(dump->text);
	dump->doc = NULL;
	dump->text = NULL;
}

/* Of HEAD, to which evhttp sends what there is as of any other. */
static void leave_head(struct dump *dump, struct evkeyvalq *head)
{
	char length[24];
	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(dump->text));
	evhttp_add_header(head, "Content-Length", length);
	evbuffer_drain(dump->text, evbuffer_get_length(dump->text));
}

void dump_reply(struct dump *dump, struct evhttp_request *req, int status)
{
	static const char failed[] = "{\"error\":\"no answer could be made\","
				     "\"remedy\":\"see the log of slabd\"}";
	struct evkeyvalq *head = evhttp_request_get_output_headers(req);
	if (dump->text == NULL) {
		dump_done(dump);
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	if (dump->failed) {
		status = HTTP_INTERNAL;
		dump->form = &as_json;
		evbuffer_drain(dump->text, evbuffer_get_length(dump->text));
		put_text(dump, failed, sizeof(failed) - 1);
	}
	put_text(dump, "\n", 1);
	evhttp_add_header(head, "Content-Type",
	                  dump->form->type != NULL ? dump->form->type
	                                           : "application/json");
	evhttp_add_header(head, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(head, "Cache-Control", "no-store");
	/* Pages of others are not to have it, whatever they take it for. */
	evhttp_add_header(head, "Cross-Origin-Resource-Policy", "same-origin");
	evhttp_add_header(head, "Content-Security-Policy",
	                  dump->form->policy != NULL ? dump->form->policy
	                                             : "default-src 'none'");
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		leave_head(dump, head);
	evhttp_send_reply(req, status, NULL, dump->text);
	dump_done(dump);
}
