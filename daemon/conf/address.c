/* SPDX-License-Identifier: MIT */
#include "daemon/conf/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535u

/* Takes "[host]:port" and "host:port" apart. Whether it is one of them. */
static bool split(const char *text, char host[INET6_ADDRSTRLEN],
                  uint64_t *port)
{
	bool boxed = text[0] == '[';
	const char *end = boxed ? strstr(text, "]:") : strchr(text, ':');
	size_t n;
	text += boxed;
	n = end == NULL ? INET6_ADDRSTRLEN : (size_t)(end - text);
	if (n >= INET6_ADDRSTRLEN)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	return config_value_read(CONFIG_FORM_NUMBER, end + 1 + boxed, port) ==
	               0 &&
	       *port > 0 && *port <= PORT_MAX;
}

static bool is_loopback(const struct config_address *address)
{
	const struct sockaddr_in *in = (const void *)&address->at;
	const struct sockaddr_in6 *in6 = (const void *)&address->at;
	if (address->at.ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

int config_address_read(const char *text, struct config_address *address,
                        char why[CONFIG_WHY_BYTES])
{
	struct sockaddr_in *in = (void *)&address->at;
	struct sockaddr_in6 *in6 = (void *)&address->at;
	char host[INET6_ADDRSTRLEN];
	uint64_t port;
	memset(address, 0, sizeof(*address));
	if (!split(text, host, &port))
		return -EINVAL;
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		address->bytes = sizeof(*in);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		address->bytes = sizeof(*in6);
	} else {
		return -EINVAL;
	}
	if (is_loopback(address))
		return 0;
	snprintf(why, CONFIG_WHY_BYTES,
	         "%.45s can be reached from other machines, which slabd does "
	         "not serve", host);
	return -EINVAL;
}
