/* SPDX-License-Identifier: MIT */
/* An address of this machine alone, to listen at over TCP. */
#ifndef DAEMON_CONF_ADDRESS_H
#define DAEMON_CONF_ADDRESS_H

#include <sys/socket.h>

#include "daemon/conf/value.h"

#define CONFIG_ADDRESS_ALLOWED                                                 \
	"an address of this machine alone with a port, 127.0.0.1:9464 or "     \
	"[::1]:9464, or off"

struct config_address {
	struct sockaddr_storage at;
	socklen_t bytes;
};

/* "127.0.0.1:9464", "[::1]:9464": numbers, no names. 0, or -EINVAL with why. */
int config_address_read(const char *text, struct config_address *address,
                        char why[CONFIG_WHY_BYTES]);

#endif
