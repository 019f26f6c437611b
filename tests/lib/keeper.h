/* SPDX-License-Identifier: MIT */
/*
 * A service manager that a test plays: it starts slabd, keeps the descriptors
 * that slabd hands over, and passes them to the next one.
 *
 *   slabd -- FDSTORE=1, FDNAME --> keeper -- LISTEN_FDS --> the next slabd
 *
 * It hears slabd only while one of these functions runs, and is as one that
 * stands still else.
 */
#ifndef TESTS_LIB_KEEPER_H
#define TESTS_LIB_KEEPER_H

#include "tests/lib/harness.h"

#define KEEPER_NAME 256
#define KEEPER_MAX 400u

struct kept {
	char name[KEEPER_NAME];
	int fd;
};

struct keeper {
	char path[100]; /* of the notify socket */
	int sock;
	struct kept kept[KEEPER_MAX];
	unsigned n;
	unsigned room; /* what is beyond is closed; as a manager does */
	bool ready; /* slabd has said READY=1 */
	unsigned messages;
};

void keeper_open(struct keeper *keeper, const struct fixture *fixture);

/* Closes all that is kept. */
void keeper_close(struct keeper *keeper);

/* Starts slabd with all that is kept; setup runs in the new process. */
void keeper_spawn(struct keeper *keeper, struct fixture *fixture,
                  void (*setup)(void));

/* One message if it comes within ms; false: none did. */
bool keeper_hear(struct keeper *keeper, int ms);

/* Hears all that is there now. */
void keeper_catch_up(struct keeper *keeper);

/* Spawns and hears until READY=1: true. False when slabd ends before; then
 * *status is how. */
bool keeper_start(struct keeper *keeper, struct fixture *fixture, int *status);

/* What is kept under a name, or -1. The keeper's. */
int keeper_find(const struct keeper *keeper, const char *name);

/* Puts another descriptor in its place: the old one is the caller's now. */
int keeper_swap(struct keeper *keeper, const char *name, int fd);

#endif
