/* SPDX-License-Identifier: MIT */
/*
 * By which name a server on a loopback address is asked. A page of anybody's can
 * have its own name lead here once it is loaded, and would read all that is here
 * as if it were its own: so names are refused, but for localhost. What no browser
 * sends, a request without one, is not.
 */
#ifndef DAEMON_ADMIN_HOST_H
#define DAEMON_ADMIN_HOST_H

#include <jansson.h>
#include <stdbool.h>

struct evhttp_request;

/* Whether it is an address in numbers, or localhost, with any port. */
bool host_is_here(struct evhttp_request *req);

json_t *host_error_new(void);

#endif
