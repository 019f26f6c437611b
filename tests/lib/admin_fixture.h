/* SPDX-License-Identifier: MIT */
/* A real server on a thread of its own, a temporary socket, real clients. */
#ifndef TESTS_LIB_ADMIN_FIXTURE_H
#define TESTS_LIB_ADMIN_FIXTURE_H

#include <pthread.h>
#include <sys/types.h>
#include <sys/un.h>

#include "daemon/admin/http.h"

#define BIG ((size_t)8 << 20) /* of /big's answer */

struct curl_slist;
struct event_base;

extern struct fixture {
	char dir[64];
	struct sockaddr_un addr;
	int listen_fd, pipe[2];
	struct event_base *base;
	struct admin *admin;
	struct event *quit;
	pthread_t thread;
} srv;

extern struct admin_routes routes; /* what start() serves */

void start(void);
/* Waits for the loop, which must end by itself once nothing is left on the
 * base: a test whose loop goes on never ends. */
void stop(void);

struct answer {
	long status;
	char body[1024], allow[32];
	size_t size;
};

struct answer ask_as(const char *method, const char *path,
                     struct curl_slist *head);
struct answer ask(const char *path);
void expect(const char *path, long status, const char *body);

/* A client by hand; reads give up after a minute. */
int dial(const char *say);

/* Bytes until the end; -1 where it does not come. */
ssize_t drain(int fd);

#endif
