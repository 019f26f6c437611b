/* SPDX-License-Identifier: MIT */
/* What is submitted is run once, in order on each node, and is done in the thread
 * that asks for it; where no thread is to be had, too. */
#include "daemon/pool/crew.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "numa/topo.h"
#include "shm/atom.h"
#include "tests/lib/harness.h"

#define NODES 3u
#define JOBS 400u /* of each node */

struct task {
	struct crew_job job; /* first */
	uint32_t node;
	uint32_t serial;
	bool beside;  /* it ran in another thread */
	bool signals; /* one might be served there */
	char name[16];
};

static struct topo topo;
static struct crew *crew;
static struct task tasks[NODES][JOBS];
static pthread_t loop;
static bool threadless;
static uint32_t ran[NODES]; /* by its thread alone, or under the crew's lock */
static uint32_t did[NODES];
static unsigned disorder;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*call)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*call)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*call)(void *), void *arg)
{
	return threadless ? EAGAIN
	                  : __real_pthread_create(thread, attr, call, arg);
}

static void run(struct crew_job *job)
{
	struct task *task = (struct task *)job;
	sigset_t set;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	task->beside = !pthread_equal(pthread_self(), loop);
	task->signals = sigismember(&set, SIGTERM) == 0;
	(void)pthread_getname_np(pthread_self(), task->name,
	                         sizeof(task->name));
	if (atom_load(&ran[task->node]) != task->serial)
		(void)atom_add(&disorder, 1u);
	atom_store(&ran[task->node], task->serial + 1);
}

static void done(struct crew_job *job)
{
	struct task *task = (struct task *)job;
	if (!pthread_equal(pthread_self(), loop) ||
	    did[task->node] != task->serial)
		(void)atom_add(&disorder, 1u);
	did[task->node]++;
}

static void begin(void)
{
	memset(ran, 0, sizeof(ran));
	memset(did, 0, sizeof(did));
	tap_is(crew_open(&crew, &topo), 0, "a crew is there");
}

static void submit(uint32_t node, uint32_t serial)
{
	struct task *task = &tasks[node][serial];
	*task = (struct task){
		.job = {.run = run, .done = done},
		.node = node,
		.serial = serial,
	};
	crew_submit(crew, node, &task->job);
}

static void submit_all(void)
{
	for (uint32_t i = 0; i < JOBS; i++)
		for (uint32_t node = 0; node < NODES; node++)
			submit(node, i);
}

static void all_did(const char *when)
{
	for (uint32_t node = 0; node < NODES; node++)
		tap_is(did[node], JOBS, "%s, node %u", when, node);
	tap_is(disorder, 0, "%s, in order, in the right thread", when);
}

static void finished(void)
{
	struct pollfd at;
	begin();
	at = (struct pollfd){.fd = crew_fd(crew), .events = POLLIN};
	tap_is(poll(&at, 1, 0), 0, "nothing has ended");
	submit_all();
	while (did[0] + did[1] + did[2] < NODES * JOBS) {
		if (poll(&at, 1, SURELY_MS) != 1)
			break;
		crew_finish(crew);
	}
	all_did("each job is done once");
	tap_ok(tasks[1][0].beside && !tasks[1][0].signals,
	       "beside the loop, without its signals");
	tap_ok(strcmp(tasks[1][0].name, "slabd-node1") == 0,
	       "by a thread with a name: %s", tasks[1][0].name);
	crew_close(crew);
}

static void waited_for(void)
{
	begin();
	submit_all();
	crew_wait(crew, &tasks[2][JOBS - 1].job, INT64_MAX);
	tap_is(did[2], JOBS, "who waits for the last has all");
	crew_close(crew);
	all_did("a crew that is closed leaves nothing");
}

static void alone(void)
{
	threadless = true;
	begin();
	submit(0, 0);
	tap_is(ran[0], 1, "without a thread it runs at once");
	tap_ok(!tasks[0][0].beside, "in the loop");
	tap_is(did[0], 0, "and is not done yet");
	crew_wait(crew, &tasks[0][0].job, INT64_MAX);
	tap_is(did[0], 1, "until somebody waits");
	threadless = false;
	submit(0, 1);
	crew_wait(crew, &tasks[0][1].job, INT64_MAX);
	tap_ok(tasks[0][1].beside, "the next one has a thread again");
	crew_close(crew);
	crew_close(NULL);
}

int main(void)
{
	tap_start(120);
	loop = pthread_self();
	tap_is(topo_load(&topo, "node:3 core:1 pu:1"), 0, "three nodes");
	finished();
	waited_for();
	alone();
	return tap_end();
}
