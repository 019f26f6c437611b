/* SPDX-License-Identifier: MIT */
/* The stages of the gateway, whichever way orders pass. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
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

static volatile enum phase now;
static uint64_t *samples;

void gateway_at(enum phase phase)
{
	now = phase;
}

/* The kernel's timer of CPU time goes off: what the process is at now counts. */
static void sample(int signal)
{
	(void)signal;
	samples[now]++;
}

static void sample_from_now(uint64_t *to)
{
	const struct itimerval each = {{0, 1000}, {0, 1000}};
	const struct sigaction act = {.sa_handler = sample,
	                              .sa_flags = SA_RESTART};
	samples = to;
	sigaction(SIGPROF, &act, NULL);
	setitimer(ITIMER_PROF, &each, NULL);
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
		size_t n = way->receive(orders, run->batch, &again);
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
	sample_from_now(run->samples[stage]);
	gateway_at(PASSING);
	if (stage == RECEIVE)
		receive_all(run, way, again);
	else
		serve(run, way, stage);
}
