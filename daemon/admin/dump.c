/* SPDX-License-Identifier: MIT */
#include "daemon/admin/dump.h"

#include <event2/buffer.h>
#include <event2/http.h>

#include "daemon/base/clock.h"

static int put(const char *part, size_t len, void *arg)
{
	return evbuffer_add(arg, part, len);
}

static void put_text(struct dump *dump, const char *text, size_t len)
{
	dump->failed |= put(text, len, dump->text) < 0;
}

static void put_whole(struct dump *dump, const json_t *value)
{
	dump->failed |= json_dump_callback(value, put, dump->text,
	                                   JSON_COMPACT | JSON_ENCODE_ANY) < 0;
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

void dump_begin(struct dump *dump, json_t *doc, const char *type)
{
	*dump = (struct dump){.doc = doc, .text = evbuffer_new()};
	dump->failed = doc == NULL || dump->text == NULL;
	dump->type = type != NULL ? type : "application/json";
	if (!dump->failed && type != NULL)
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
		dump->type = "application/json";
		evbuffer_drain(dump->text, evbuffer_get_length(dump->text));
		put_text(dump, failed, sizeof(failed) - 1);
	}
	put_text(dump, "\n", 1);
	evhttp_add_header(head, "Content-Type", dump->type);
	evhttp_add_header(head, "Cache-Control", "no-store");
	evhttp_send_reply(req, status, NULL, dump->text);
	dump_done(dump);
}
