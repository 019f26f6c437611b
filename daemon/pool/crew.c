/* SPDX-License-Identifier: MIT */
#include "daemon/pool/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "numa/topo.h"

#define HANDS (TOPO_NODES_MAX + 1u) /* and one that is near no node */
#define TELLS 3 /* the loop hears of it later if none gets through */

struct queue {
	struct crew_job *first;
	struct crew_job *last;
};

struct hand {
	struct crew *crew;
	unsigned node_ix;
	char name[32]; /* of the thread; the kernel takes 15 bytes */
	bool runs;
	pthread_t thread;
	pthread_cond_t more;
	struct queue jobs;
};

struct crew {
	const struct topo *topo;
	int fd;
	pthread_mutex_t lock; /* of all that follows but runs and thread */
	pthread_cond_t some_ended;
	struct queue ended;
	bool closes;
	struct hand hand[HANDS];
};

static void put(struct queue *queue, struct crew_job *job)
{
	job->next = NULL;
	if (queue->first == NULL)
		queue->first = job;
	else
		queue->last->next = job;
	queue->last = job;
}

static struct crew_job *take(struct queue *queue)
{
	struct crew_job *job = queue->first;
	if (job != NULL)
		queue->first = job->next;
	return job;
}

/* ---- threads ------------------------------------------------------------- */

/* Under the lock. */
static void end(struct crew *crew, struct crew_job *job)
{
	uint64_t one = 1;
	int tries = TELLS;
	job->ended = true;
	put(&crew->ended, job);
	pthread_cond_signal(&crew->some_ended);
	while (tries-- > 0 && write(crew->fd, &one, sizeof(one)) < 0)
		continue;
}

static void *work(void *arg)
{
	struct hand *hand = arg;
	struct crew *crew = hand->crew;
	(void)pthread_setname_np(pthread_self(), hand->name);
	pthread_mutex_lock(&crew->lock);
	for (;;) {
		struct crew_job *job = take(&hand->jobs);
		if (job != NULL) {
			pthread_mutex_unlock(&crew->lock);
			job->run(job);
			pthread_mutex_lock(&crew->lock);
			end(crew, job);
		} else if (crew->closes) {
			break;
		} else {
			pthread_cond_wait(&hand->more, &crew->lock);
		}
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* Signals are the loop's. */
static bool start(struct hand *hand)
{
	sigset_t all;
	sigset_t saved;
	if (hand->runs)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	hand->runs = pthread_create(&hand->thread, NULL, work, hand) == 0;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (hand->runs && hand->node_ix < TOPO_NODES_MAX)
		topo_go_near(hand->crew->topo, hand->node_ix, hand->thread);
	return hand->runs;
}

/* ---- the loop ------------------------------------------------------------ */

static void make_hand(struct crew *crew, unsigned ix,
                      const pthread_condattr_t *attr)
{
	struct hand *hand = &crew->hand[ix];
	hand->crew = crew;
	hand->node_ix = ix;
	if (ix < TOPO_NODES_MAX)
		snprintf(hand->name, sizeof(hand->name), "slabd-node%u",
		         crew->topo->node[ix].os_id);
	else
		snprintf(hand->name, sizeof(hand->name), "slabd-shared");
	pthread_cond_init(&hand->more, attr);
}

int crew_open(struct crew **out, const struct topo *topo)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	pthread_condattr_t attr;
	*out = NULL;
	if (crew == NULL)
		return -ENOMEM;
	crew->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (crew->fd < 0) {
		int r = -errno;
		free(crew);
		return r;
	}
	crew->topo = topo;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->some_ended, &attr);
	for (unsigned i = 0; i < HANDS; i++)
		make_hand(crew, i, &attr);
	pthread_condattr_destroy(&attr);
	*out = crew;
	return 0;
}

void crew_close(struct crew *crew)
{
	if (crew == NULL)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->closes = true;
	for (unsigned i = 0; i < HANDS; i++)
		pthread_cond_signal(&crew->hand[i].more);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < HANDS; i++) {
		if (crew->hand[i].runs)
			pthread_join(crew->hand[i].thread, NULL);
		pthread_cond_destroy(&crew->hand[i].more);
	}
	crew_finish(crew);
	pthread_cond_destroy(&crew->some_ended);
	pthread_mutex_destroy(&crew->lock);
	close(crew->fd);
	free(crew);
}

int crew_fd(const struct crew *crew)
{
	return crew->fd;
}

void crew_submit(struct crew *crew, unsigned node_ix, struct crew_job *job)
{
	struct hand *hand = &crew->hand[node_ix];
	bool runs = start(hand);
	job->ended = false;
	if (!runs)
		job->run(job);
	pthread_mutex_lock(&crew->lock);
	if (runs)
		put(&hand->jobs, job);
	else
		end(crew, job);
	pthread_cond_signal(&hand->more);
	pthread_mutex_unlock(&crew->lock);
}

void crew_finish(struct crew *crew)
{
	struct queue ended;
	struct crew_job *job;
	uint64_t count;
	(void)!read(crew->fd, &count, sizeof(count));
	pthread_mutex_lock(&crew->lock);
	ended = crew->ended;
	crew->ended.first = NULL;
	pthread_mutex_unlock(&crew->lock);
	while ((job = take(&ended)) != NULL)
		job->done(job);
}

bool crew_wait(struct crew *crew, const struct crew_job *job, int64_t until_ns)
{
	const struct timespec until = {.tv_sec = until_ns / CLOCK_S,
	                               .tv_nsec = until_ns % CLOCK_S};
	bool ended;
	pthread_mutex_lock(&crew->lock);
	while (!job->ended &&
	       pthread_cond_timedwait(&crew->some_ended, &crew->lock, &until) !=
	               ETIMEDOUT)
		continue;
	ended = job->ended;
	pthread_mutex_unlock(&crew->lock);
	crew_finish(crew);
	return ended;
}
