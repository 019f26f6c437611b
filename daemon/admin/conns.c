/* SPDX-License-Identifier: MIT */
#include "daemon/admin/conns.h"

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <sys/socket.h>

#include "daemon/serve/door.h"

static void let_go(struct conn *c)
{
	int fd = bufferevent_getfd(c->bev);
	/* Else it is closed along with the bufferevent. */
	bufferevent_setfd(c->bev, -1);
	bufferevent_decref(c->bev);
	*c = (struct conn){0};
	door_close(fd, NULL);
}

static bool is_done(const struct conn *c)
{
	bufferevent_data_cb on_read = NULL, on_write = NULL;
	bufferevent_event_cb on_event = NULL;
	bufferevent_getcb(c->bev, &on_read, &on_write, &on_event, NULL);
	return !on_read && !on_write && !on_event;
}

unsigned conns_count(struct conns *conns)
{
	unsigned n = 0;
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct conn *c = &conns->conn[i];
		if (c->bev && is_done(c))
			let_go(c);
		n += c->bev != NULL;
	}
	return n;
}

bool conns_are_all(const struct conns *conns)
{
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++)
		if (!conns->conn[i].bev)
			return false;
	return true;
}

struct bufferevent *conns_add(struct conns *conns, struct event_base *base)
{
	struct bufferevent *bev;
	struct conn *c = conns->conn;
	if (conns_count(conns) == ADMIN_CONNS_MAX)
		return NULL;
	/* evhttp closes no socket that goes with its bufferevent. */
	bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		return NULL;
	while (c->bev)
		c++;
	bufferevent_incref(bev);
	*c = (struct conn){.bev = bev, .last = ++conns->tick};
	return bev;
}

void conns_meet(struct conns *conns)
{
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct conn *c = &conns->conn[i];
		struct ucred who = {.uid = (uid_t)-1};
		socklen_t bytes = sizeof(who);
		int fd;
		if (!c->bev || c->met || (fd = bufferevent_getfd(c->bev)) < 0)
			continue;
		door_refuse(fd);
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes);
		c->uid = who.uid;
		c->met = true;
	}
}

void conns_asked(struct conns *conns, struct evhttp_connection *evcon,
                 void (*closecb)(struct evhttp_connection *, void *), void *arg)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct conn *c = &conns->conn[i];
		if (c->bev != bev)
			continue;
		c->last = ++conns->tick;
		c->evcon = evcon;
		evhttp_connection_set_closecb(evcon, closecb, arg);
	}
}

void conns_ended(struct conns *conns, const struct evhttp_connection *evcon)
{
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++)
		if (conns->conn[i].evcon == evcon)
			conns->conn[i].evcon = NULL;
}

/* How many are of the same user. */
static unsigned count_like(const struct conns *conns, const struct conn *as)
{
	unsigned n = 0;
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		const struct conn *c = &conns->conn[i];
		n += c->bev && c->met && as->met && c->uid == as->uid;
	}
	return n;
}

/* One that has made no request yet is told its end as by its peer: evhttp
 * answers what came until then, and sees the end in the loop's next round. */
void conns_evict(struct conns *conns)
{
	struct conn *gone = NULL;
	unsigned most = 0;
	conns_meet(conns);
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct conn *c = &conns->conn[i];
		unsigned n = c->bev ? count_like(conns, c) : 0;
		if (!c->bev || n < most ||
		    (gone && n == most && c->last > gone->last))
			continue;
		most = n;
		gone = c;
	}
	if (gone && gone->evcon)
		evhttp_connection_free(gone->evcon);
	else if (gone)
		shutdown(bufferevent_getfd(gone->bev), SHUT_RD);
}

void conns_forget(struct conns *conns)
{
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct conn *c = &conns->conn[i];
		if (c->evcon)
			evhttp_connection_set_closecb(c->evcon, NULL, NULL);
		c->evcon = NULL;
	}
}

void conns_close(struct conns *conns)
{
	for (unsigned i = 0; i < ADMIN_CONNS_MAX; i++)
		if (conns->conn[i].bev)
			let_go(&conns->conn[i]);
}
