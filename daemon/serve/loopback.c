/* SPDX-License-Identifier: MIT */
#include "daemon/serve/loopback.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/conf/address.h"

#define BACKLOG 16

static int bind_to(const struct config_address *address)
{
	int on = 1;
	int r;
	int fd = socket(address->at.ss_family,
	                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Where a slabd listened a moment ago. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const void *)&address->at, address->bytes) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int loopback_listen(const char *text)
{
	struct config_address address;
	char why[CONFIG_WHY_BYTES] = "";
	int fd = config_address_read(text, &address, why);
	if (fd == 0)
		fd = bind_to(&address);
	if (fd == -EADDRINUSE)
		log_error("nobody gets metrics: another program listens at %s; "
		          "end it, or set metrics in slabd.conf to another port",
		          text);
	else if (fd == -EAFNOSUPPORT)
		log_error("nobody gets metrics: slabd may have no TCP sockets; "
		          "add AF_INET and AF_INET6 to RestrictAddressFamilies= "
		          "of slabd.service by a drop-in, or set metrics in "
		          "slabd.conf to off");
	else if (fd < 0)
		log_error("nobody gets metrics: can't listen at %s: %s; set "
		          "metrics in slabd.conf to another address of this "
		          "machine, or to off", text, strerror(-fd));
	return fd;
}
