/* SPDX-License-Identifier: MIT */
/*
 * Orders by slabd: each is one flat object, its texts behind it, so that nothing in
 * it is an address. They pass in batches of neighbours over channels, which own what
 * is under way.
 *
 * A stage begins to receive, writes what it made of that into it, and sends it on
 * without a copy: killed before, the channel delivers what it had begun again, and says
 * so. So an order is worked on twice at times, and is marked then, but never lost.
 */
#include <errno.h>
#include <slabclient.h>
#include <string.h>

#include "gateway.h"

struct flat {
	struct order order;
	unsigned char at[TEXTS]; /* in bytes; 0: none */
	char bytes[TEXTS_MAX];
};

static void flatten(struct flat *flat, const struct message *message)
{
	size_t used = 1;
	flat->order = message->order;
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t n = message->length[i];
		flat->at[i] = message->text[i] != NULL ? (unsigned char)used : 0;
		if (message->text[i] == NULL)
			continue;
		if (used + n >= TEXTS_MAX)
			gateway_die("an order", "its texts are too long");
		memcpy(flat->bytes + used, message->text[i], n);
		flat->bytes[used + n] = 0;
		used += n + 1;
	}
}

static struct order *view(void *order, const char *text[TEXTS])
{
	struct flat *flat = order;
	for (unsigned i = 0; i < TEXTS; i++)
		text[i] = flat->at[i] != 0 ? flat->bytes + flat->at[i] : NULL;
	return &flat->order;
}

/* ---- around the library: from here ---------------------------------------- */

static slabd_cache *orders;
static slabd_channel *from, *to;

static void *need(void *it)
{
	if (it == NULL)
		gateway_die("slabd", slabd_last_error());
	return it;
}

static void enter(enum stage stage, int again)
{
	static const char *const to_stage[] = {"", "match", "confirm", "publish"};
	const size_t runs = UNDER_WAY / 32; /* of so many neighbours */
	slabd_pool *pool = need(slabd_open(NULL, NULL));
	(void)again;
	orders = need(slabd_cache_create(pool, "orders", sizeof(struct flat), 0, 0));
	if (stage > RECEIVE)
		from = need(slabd_channel_open(pool, to_stage[stage], runs));
	if (stage < PUBLISH)
		to = need(slabd_channel_open(pool, to_stage[stage + 1], runs));
}

static void allocate(void **objects, size_t n)
{
	if (slabd_alloc_bulk(orders, n, objects) < n)
		need(NULL);
}

static void send(void **objects, size_t n)
{
	size_t sent = 0;
	while ((sent += slabd_send(to, objects + sent, n - sent)) < n) {
		if (errno != EAGAIN)
			need(NULL);
		gateway_nap();
	}
}

static size_t receive(void **objects, size_t n, int *again)
{
	n = slabd_recv_begin(from, objects, n);
	if (n == 0)
		slabd_channel_wait(from, SLABD_CHANNEL_RECV, 100);
	*again = slabd_recv_again(from);
	return n;
}

static void end(void **objects, size_t n)
{
	if (slabd_recv_commit(from, n) < 0)
		need(NULL);
	slabd_free_bulk(orders, n, objects);
}

static void pass_on(void **objects, size_t n)
{
	size_t done = 0;
	(void)objects;
	while ((done += slabd_forward(from, to, n - done)) < n) {
		if (errno != EAGAIN)
			need(NULL);
		gateway_nap();
	}
}

/* ---- to here --------------------------------------------------------------- */

static void make(void **objects, const struct message *messages, size_t n)
{
	allocate(objects, n);
	gateway_at(WORKING);
	for (size_t i = 0; i < n; i++)
		flatten(objects[i], &messages[i]);
	gateway_at(PASSING);
}

const struct way gateway_slabd = {
	.name = "slabd", .batch = BATCH, .enter = enter, .make = make, .view = view,
	.send = send, .receive = receive, .pass_on = pass_on,
	.end = end};
