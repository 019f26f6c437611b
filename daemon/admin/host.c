/* SPDX-License-Identifier: MIT */
#include "daemon/admin/host.h"

#include <event2/http.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "daemon/admin/query.h"

static bool is_number(const char *host)
{
	unsigned char address[16];
	char text[64];
	size_t n = strlen(host);
	if (evutil_inet_pton(AF_INET, host, address) == 1)
		return true;
	if (n < 2 || n > sizeof(text) || host[0] != '[' || host[n - 1] != ']')
		return false;
	snprintf(text, n - 1, "%s", host + 1);
	return evutil_inet_pton(AF_INET6, text, address) == 1;
}

bool host_is_here(struct evhttp_request *req)
{
	const char *host = evhttp_request_get_host(req);
	return host == NULL || strcasecmp(host, "localhost") == 0 ||
	       is_number(host);
}

json_t *host_error_new(void)
{
	return admin_error_new("slabd has no such name",
	                       "ask for localhost, or for the address that "
	                       "slabd.conf has for metrics");
}
