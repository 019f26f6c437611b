/* SPDX-License-Identifier: MIT */
/*
 * An order gateway of four processes, each of which passes orders on to the next:
 *
 *      receive ---> match ---> confirm ---> publish
 *
 * What they do with an order is in gateway_work.c, what a stage is in
 * gateway_stage.c, and what starts, kills and counts them in gateway.c. Where orders
 * lie, and how they pass, is done in two ways:
 *
 *      gateway_slabd.c    flat objects, which channels own while they are under way
 *      gateway_malloc.c   a struct and its strings by malloc, rings that copy
 *
 *      cc -O2 gateway*.c $(pkg-config --cflags --libs slabclient) -o gateway
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stddef.h>
#include <stdint.h>

#define BATCH 128u      /* orders that pass at a time, at most */
#define UNDER_WAY 4096u /* that may be between two stages, about */

enum stage { RECEIVE, MATCH, CONFIRM, PUBLISH, STAGES };
enum text { CLIENT_ID, ACCOUNT, SYMBOL, VENUE, NOTE, TEXTS };
enum phase { WORKING, PASSING, PHASES };

/* What has one size of an order. */
struct order {
	uint64_t id; /* 1 to run.orders */
	int64_t price;
	uint32_t quantity;
	uint32_t filled;
	uint32_t spread;
	char side;
	char matched;
	char again; /* a possible duplicate */
};

/* An order as it came in: texts lie in the session's buffer, and have no end; a
 * text that is not there is NULL. */
struct message {
	struct order order;
	const char *text[TEXTS];
	size_t length[TEXTS];
};

#define TEXTS_MAX 80u /* bytes of all texts, with their ends */

/* What the processes share. */
struct run {
	uint64_t orders;    /* how many there are */
	size_t batch;       /* that pass at a time, at most */
	uint64_t received;  /* that receive has passed on, of this session */
	uint64_t published; /* different ones */
	uint32_t ready;     /* bits of stages that have begun */
	volatile int go;    /* all have */
	volatile int stop;  /* whoever finds nothing more to do ends */
	uint64_t spent_ns[STAGES][PHASES]; /* CPU time of some turns */
	unsigned char seen[];             /* by id, SEEN_... */
};
#define SEEN_ONCE 1
#define SEEN_TWICE 2 /* and not marked */
#define SEEN_AGAIN 4 /* and marked */

/* A way for orders to pass. An order's address means something to it alone. What
 * fails ends the process by gateway_die. */
struct way {
	const char *name;
	size_t batch; /* orders that pass at a time, unless others are asked for */
	/* In the process that starts the others. */
	void (*prepare)(void);
	/* In a stage: what comes before it and after it is there. again: it was
	 * killed, and is started anew. */
	void (*enter)(enum stage stage, int again);
	/* Orders of n messages. */
	void (*make)(void **orders, const struct message *messages, size_t n);
	/* The two parts of an order. */
	struct order *(*view)(void *order, const char *text[TEXTS]);
	/* Passes n orders on, which are this stage's no longer. Waits for room. */
	void (*send)(void **orders, size_t n);
	/* Up to n orders; waits for some, and returns 0 after a while. They come again
	 * if this process is killed before it has passed them on or ended them; *again
	 * says whether these may have come before. */
	size_t (*receive)(void **orders, size_t n, int *again);
	/* Passes on, or ends, all that receive returned. */
	void (*pass_on)(void **orders, size_t n);
	void (*end)(void **orders, size_t n);
};
extern const struct way gateway_slabd;
extern const struct way gateway_malloc;

/* ---- gateway_stage.c ----------------------------------------------------- */

/* A stage, from its start to run->stop. */
void gateway_stage(struct run *run, const struct way *way, enum stage stage,
               int again);

/* What the process is at from now on, for the share of CPU time in each. */
void gateway_at(enum phase phase);

/* What comes next is full: a nap, while the others empty it. To be woken for each
 * batch would cost more than a batch. */
void gateway_nap(void);

/* Ends the process: it met that. */
_Noreturn void gateway_die(const char *what, const char *why);

/* ---- gateway_work.c ------------------------------------------------------ */

/* The message of the session with that number, parsed. */
void gateway_receive(uint64_t id, struct message *message);

/* Texts end in 0 here, and are NULL where the order has none. */
void gateway_match(struct order *order, const char *const text[TEXTS]);
void gateway_confirm(const struct order *order, const char *const text[TEXTS]);
void gateway_publish(const struct order *order, const char *const text[TEXTS]);

#endif
