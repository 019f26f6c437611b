/* SPDX-License-Identifier: MIT */
/* The stages of the gateway, whichever way orders pass. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway.h"

void gateway_die(const char *what, const char *why)
{
	fprintf(stderr, "gateway: %s: %s\n", what, why);
	exit(1);
}

void gateway_nap(void)
{
	const struct timespec nap = {0, 400000};
	nanosleep(&nap, NULL);
}

/* ---- what the CPU time goes to ------------------------------------------- */

/* One turn of so many is measured: to ask the kernel costs as much as an order. */
#define TURNS 61u

static uint64_t *spent_ns; /* by phase */
static uint64_t look_ns;   /* what a look at the clock takes */
static uint64_t since_ns;
static enum phase now;
static bool measured;

static uint64_t cpu_ns(void)
{
	struct timespec at;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

void gateway_at(enum phase phase)
{
	uint64_t at_ns;
	if (measured) {
		at_ns = cpu_ns();
		if (at_ns - since_ns > look_ns)
			spent_ns[now] += at_ns - since_ns - look_ns;
		since_ns = at_ns;
	}
	now = phase;
}

/* A turn begins, in what it passes at first. */
static void turn(void)
{
	static unsigned turns;
	gateway_at(PASSING);
	measured = ++turns % TURNS == 0;
	if (measured)
		since_ns = cpu_ns();
}

static void measure_from_now(uint64_t *to)
{
	spent_ns = to;
	look_ns = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t from_ns = cpu_ns();
		uint64_t took_ns = cpu_ns() - from_ns;
		look_ns = took_ns < look_ns ? took_ns : look_ns;
	}
}

/* ---- stages -------------------------------------------------------------- */

/* Whoever is started anew has not to wait. */
static void wait_for_others(struct run *run, enum stage stage)
{
	const struct timespec ms = {0, 1000000};
	__atomic_fetch_or(&run->ready, 1u << stage, __ATOMIC_SEQ_CST);
	while (!run->go)
		nanosleep(&ms, NULL);
}

/* run->received comes after the sending: who is killed in between sends the last
 * batch twice. So the first one of a new life is marked. */
static void receive_all(struct run *run, const struct way *way, int again)
{
	static struct message messages[BATCH];
	void *orders[BATCH];
	while (run->received < run->orders) {
		uint64_t left = run->orders - run->received;
		size_t n = left < run->batch ? left : run->batch;
		turn();
		gateway_at(WORKING);
		for (size_t i = 0; i < n; i++) {
			gateway_receive(run->received + 1 + i, &messages[i]);
			messages[i].order.again = (char)again;
		}
		gateway_at(PASSING);
		way->make(orders, messages, n);
		way->send(orders, n);
		run->received += n;
		again = 0;
	}
}

/* In the real gateway the exchange does so. */
static void count(struct run *run, const struct order *order)
{
	unsigned char *seen = &run->seen[order->id];
	run->published += *seen == 0;
	if (order->again)
		*seen |= *seen == 0 ? SEEN_ONCE : SEEN_AGAIN;
	else
		*seen |= *seen == 0 ? SEEN_ONCE : SEEN_TWICE;
}

static void work(struct run *run, enum stage stage, struct order *order,
                 const char *const text[TEXTS])
{
	if (stage == MATCH) {
		gateway_match(order, text);
	} else if (stage == CONFIRM) {
		gateway_confirm(order, text);
	} else {
		gateway_publish(order, text);
		count(run, order);
	}
}

static void serve(struct run *run, const struct way *way, enum stage stage)
{
	const char *text[TEXTS];
	void *orders[BATCH];
	for (;;) {
		int again = 0;
		size_t n;
		turn();
		n = way->receive(orders, run->batch, &again);
		if (n == 0 && run->stop)
			return;
		gateway_at(WORKING);
		for (size_t i = 0; i < n; i++) {
			struct order *order = way->view(orders[i], text);
			order->again |= (char)again;
			work(run, stage, order, text);
		}
		gateway_at(PASSING);
		if (stage == PUBLISH)
			way->end(orders, n);
		else
			way->pass_on(orders, n);
	}
}

void gateway_stage(struct run *run, const struct way *way, enum stage stage,
               int again)
{
	way->enter(stage, again);
	wait_for_others(run, stage);
	measure_from_now(run->spent_ns[stage]);
	if (stage == RECEIVE)
		receive_all(run, way, again);
	else
		serve(run, way, stage);
}
