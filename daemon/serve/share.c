/* SPDX-License-Identifier: MIT */
#include "daemon/serve/share.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/watch/wake.h"

static void on_pass(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	server->passes++;
}

int share_open(struct server *server)
{
	return wake_timer(&server->pass, server->base, on_pass, server) < 0
	               ? -ENOMEM
	               : 0;
}

void share_close(struct server *server)
{
	wake_free(&server->pass);
}

int64_t share_left(struct server *server, struct share *share, int64_t most_ns)
{
	if (share->pass != server->passes)
		*share = (struct share){.pass = server->passes};
	if (share->used_ns >= most_ns)
		wake_start(server->pass, 0);
	return most_ns - share->used_ns;
}

void share_use(struct share *share, int64_t since_ns)
{
	share->used_ns += clock_ns() - since_ns;
}
