/* SPDX-License-Identifier: MIT */
/* A client that speaks to slabd's socket without the library. */
#ifndef TESTS_LIB_RAW_H
#define TESTS_LIB_RAW_H

#include "shm/wire.h"
#include "tests/lib/harness.h"

/* One connection after its hello. Descriptors are -1 where there are none. */
struct raw {
	int sock;
	int events;
	int control;
	int shared;
	int data[NODES_MAX];
	struct wire_welcome welcome;
};

/* Connects; a receive waits half a minute at the most. -1 if it can't. */
int raw_connect(const struct fixture *fixture);

/* Sends bytes and n copies of descriptor fd along. 0, or -errno. */
int raw_send(int sock, const void *bytes, size_t n_bytes, unsigned n, int fd);

/* A hello to a pool as the library says it. */
struct wire_hello raw_hello(const char *pool);

/* Connects and says hello. Bails out where slabd does not welcome it. */
void raw_open(struct raw *raw, const struct fixture *fixture, const char *pool);
void raw_close(struct raw *raw);

/* The answer to a hello that resumes: its error, -1 where none came. On 0 the
 * connection and its events are in raw, and nothing else. */
int raw_answer(struct raw *raw);

/* Connects, says such a hello and hears the answer. */
int raw_resume(struct raw *raw, const struct fixture *fixture,
               const struct wire_hello *hello);

/* Asks for a cache: the reply, error -1 in it where none came. */
struct wire_reply raw_create(int sock, const char name[NAME_BYTES],
                             uint64_t size);

/* Whether the other end closes within a minute; what comes first is
 * thrown away. */
bool raw_closed(int sock);

#endif
