/* SPDX-License-Identifier: MIT */
/*
 * A JSON document written out piece by piece, so that a long one takes the loop's
 * time in slices: lists near its root go item by item, and what is below them is a
 * piece. What was written is freed as it goes.
 */
#ifndef DAEMON_ADMIN_DUMP_H
#define DAEMON_ADMIN_DUMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUMP_DEPTH 4u /* {"pools": [{"clients": [ */

struct evbuffer;
struct evhttp_request;

/* How an answer goes out, all of them NULL: the whole document as JSON. */
struct dump_form {
	/* Of a JSON string, which is written as it is: its content's. */
	const char *type;
	const char *policy; /* of a page: Content-Security-Policy */
	/* Of objects the keys that are shown, "pools name"; NULL: all. */
	const char *keys;
};

struct dump {
	json_t *doc;
	struct evbuffer *text; /* so far, without spaces */
	bool failed;           /* no memory */
	const struct dump_form *form;
	unsigned depth;        /* lists and objects that are open */
	struct dump_open {
		json_t *of;
		size_t at;  /* of a list: the next */
		void *iter; /* of an object: the next */
	} open[DUMP_DEPTH];
};

/* Takes the document, of which nobody else has a part; NULL: it has failed. Has to
 * be followed by dump_done or dump_reply. form: NULL is as JSON. */
void dump_begin(struct dump *dump, json_t *doc, const struct dump_form *form);

/* Goes on until a time by clock_ns, one piece at least. Whether there is more. */
bool dump_some(struct dump *dump, int64_t until_ns);
void dump_done(struct dump *dump);

/* Answers a request with what is written, or with 500 where it has failed; done
 * with it then. */
void dump_reply(struct dump *dump, struct evhttp_request *req, int status);

#endif
