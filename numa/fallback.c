/* SPDX-License-Identifier: MIT */
#include "numa/fallback.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numa/huge.h"
#include "numa/lack.h"
#include "numa/meminfo.h"
#include "numa/reserve.h"
#include "numa/tick.h"

/* What of max a pool must be able to grow by beyond its start. */
#define GROWTH_SHARE 128u

struct job {
	struct backing *backing;
	const struct backing_request *request;
	unsigned ix;
	bool wanted; /* takes part in this rung */
	bool threaded;
	int result;
	uint64_t n_pages;
	pthread_t thread;
	pthread_mutex_t *one_caller; /* of the progress callback */
	struct backing_step why;
};

static uint64_t round_up(uint64_t bytes, unsigned shift)
{
	uint64_t page = UINT64_C(1) << shift;
	return (bytes + page - 1) & ~(page - 1);
}

static int bind_file(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	struct memfile file;
	int r;
	if (backing->topo->simulated) {
		snprintf(node->note, sizeof(node->note),
		         "not bound: the topology is simulated");
		return 0;
	}
	node->bound = true;
	file = reserve_file(backing, ix, ix);
	r = memfile_bind(&file, node->file_bytes);
	if (r != -ENOSYS && r != -EPERM)
		return r;
	node->bound = false;
	snprintf(node->note, sizeof(node->note),
	         "not bound: mbind is not to be had here (%s)",
	         strerrordesc_np(-r));
	return 0;
}

static int make_file(struct job *job)
{
	struct backing *backing = job->backing;
	struct backing_node *node = &backing->node[job->ix];
	unsigned shift = backing_kind_shift(node->kind);
	char name[240];
	int r;
	snprintf(name, sizeof(name), "%.200s-node%u", job->request->name,
	         backing->topo->node[job->ix].os_id);
	node->file_bytes = round_up(job->request->file_bytes[job->ix], shift);
	job->n_pages =
		round_up(job->request->start_bytes[job->ix], shift) >> shift;
	r = memfile_create(name, node->kind, node->file_bytes);
	if (r == -ENOTSUP) {
		snprintf(job->why.reason, sizeof(job->why.reason),
		         "this kernel has no %s hugepages",
		         backing_kind_page(node->kind));
		return RESERVE_E_LACK;
	}
	if (r < 0) {
		lack_of_limit(r, "its memory can't be made with memfd_create",
		              backing->error, sizeof(backing->error));
		return r;
	}
	node->fd = r;
	return bind_file(backing, job->ix);
}

/* A pool of hugepages that may not add any has those that are free, and no more
 * for ever. Where they hardly do for the start, a lesser kind is better, of
 * which there is as much as the node has. */
static int check_growth(struct job *job, enum backing_kind kind,
                        uint64_t claimed)
{
	struct backing *backing = job->backing;
	uint64_t max = backing->node[job->ix].file_bytes >>
	               backing_kind_shift(kind);
	uint64_t least = max / GROWTH_SHARE > 0 ? max / GROWTH_SHARE : 1;
	struct huge_counts now;
	uint64_t all;
	if (max == job->n_pages || kind == BACKING_1G ||
	    huge_count(backing->sysfs, reserve_pool_node(backing, job->ix),
	               backing_kind_shift(kind), &now) < 0 ||
	    (backing->may_reserve && access(now.file, W_OK) == 0))
		return 0;
	all = now.spare_pages + now.loan_pages;
	if (all >= claimed + job->n_pages + least)
		return 0;
	lack_of_growth(backing, job->ix, &now, &job->why);
	return RESERVE_E_LACK;
}

/* claimed: what nodes before this one are about to take from a pool that all
 * share, in bytes. */
static int prepare(struct job *job, enum backing_kind kind, uint64_t *claimed)
{
	struct backing *backing = job->backing;
	struct backing_node *node = &backing->node[job->ix];
	uint64_t taken = backing->topo->simulated ? *claimed : 0;
	unsigned shift = backing_kind_shift(kind);
	uint64_t within;
	int r;
	memset(&job->why, 0, sizeof(job->why));
	job->why.node_ix = job->ix;
	job->why.kind = kind;
	node->kind = kind;
	if (kind == BACKING_THP &&
	    !meminfo_thp(backing->sysfs, job->why.reason,
	                 sizeof(job->why.reason), job->why.remedy,
	                 sizeof(job->why.remedy)))
		return RESERVE_E_LACK;
	r = make_file(job);
	if (r != 0)
		return r;
	within = reserve_within_groups(backing, job->ix, job->n_pages,
	                               *claimed, &job->why);
	if (job->n_pages == 0)
		return 0;
	/* A pool of plain pages begins with what its groups allow. */
	if (within == 0 ||
	    (within < job->n_pages && backing_kind_is_hugetlb(kind)))
		return RESERVE_E_LACK;
	job->n_pages = within;
	if (backing_kind_is_hugetlb(kind))
		r = reserve_secure(backing, job->ix, job->n_pages,
		                   taken >> shift, &job->why);
	if (r == 0 && backing_kind_is_hugetlb(kind))
		r = check_growth(job, kind, taken >> shift);
	if (!backing_kind_is_hugetlb(kind))
		r = reserve_check_room(backing, job->ix,
		                     taken + (job->n_pages << shift),
		                     &job->why);
	if (r == 0)
		*claimed += job->n_pages << shift;
	return r;
}

static void pass_progress(void *arg, uint64_t done_pages)
{
	struct job *job = arg;
	if (!job->request->progress)
		return;
	pthread_mutex_lock(job->one_caller);
	job->request->progress(job->request->progress_arg, job->ix, done_pages,
	                       job->n_pages);
	pthread_mutex_unlock(job->one_caller);
}

static void *populate(void *arg)
{
	struct job *job = arg;
	struct backing_node *node = &job->backing->node[job->ix];
	int64_t began_ns = tick_ns();
	struct reserve_order order = {
		.file_ix = job->ix,
		.node_ix = job->ix,
		.n_pages = job->n_pages,
		.progress = pass_progress,
		.arg = job,
	};
	uint64_t done = 0;
	if (job->threaded)
		topo_go_near(job->backing->topo, job->ix, pthread_self());
	job->result = reserve_fill(job->backing, &order, &done);
	node->ready_pages = done;
	node->resident_pages = done;
	node->populate_ns += tick_ns() - began_ns;
	if (job->result < 0 && job->result != -ECANCELED &&
	    !reserve_out_of_files(job->result)) {
		reserve_explain(job->backing, job->ix, job->result, done,
		              job->n_pages, &job->why);
		job->result = RESERVE_E_LACK;
	}
	return NULL;
}

/* Signals are the caller's: its threads must not get them. */
static void populate_all(struct job *jobs, unsigned n)
{
	pthread_mutex_t one_caller = PTHREAD_MUTEX_INITIALIZER;
	sigset_t all;
	sigset_t saved;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	for (unsigned i = 0; i < n; i++) {
		struct job *job = &jobs[i];
		job->threaded = false;
		if (!job->wanted || job->result != 0)
			continue;
		job->one_caller = &one_caller;
		job->threaded = true;
		if (pthread_create(&job->thread, NULL, populate, job) == 0)
			continue;
		job->threaded = false;
		populate(job);
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	for (unsigned i = 0; i < n; i++)
		if (jobs[i].threaded)
			pthread_join(jobs[i].thread, NULL);
	pthread_mutex_destroy(&one_caller);
}

static void add_step(struct job *job)
{
	struct backing *backing = job->backing;
	reserve_drop_all(backing, job->ix, 1);
	backing->steps[backing->n_steps++] = job->why;
}

/* The others of a rung that is for all or none. */
static void step_down_together(struct job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i].result == RESERVE_E_LACK)
			continue;
		jobs[i].result = RESERVE_E_LACK;
		snprintf(jobs[i].why.reason, sizeof(jobs[i].why.reason),
		         "another node has no 1 GiB hugepages to offer, and "
		         "all nodes of a pool share one page size");
	}
}

static int prepare_all(struct job *jobs, unsigned n, enum backing_kind kind)
{
	uint64_t claimed = 0;
	for (unsigned i = 0; i < n; i++) {
		struct job *job = &jobs[i];
		int64_t began_ns = tick_ns();
		if (!job->wanted)
			continue;
		job->result = prepare(job, kind, &claimed);
		job->backing->node[i].populate_ns = tick_ns() - began_ns;
		if (job->result < 0)
			return job->result;
	}
	return 0;
}

static unsigned count_lacking(const struct job *jobs, unsigned n)
{
	unsigned lacking = 0;
	for (unsigned i = 0; i < n; i++)
		lacking += jobs[i].wanted && jobs[i].result == RESERVE_E_LACK;
	return lacking;
}

/* Returns 0, RESERVE_E_LACK if nodes are left for the next rung, or -errno. */
static int try_rung(struct job *jobs, unsigned n, enum backing_kind kind)
{
	const struct backing *backing = jobs[0].backing;
	int r = prepare_all(jobs, n, kind);
	if (r == 0 && backing->stopped && backing->stopped())
		r = -ECANCELED;
	if (r < 0)
		return r;
	if (kind != BACKING_1G || count_lacking(jobs, n) == 0)
		populate_all(jobs, n);
	for (unsigned i = 0; i < n; i++)
		if (jobs[i].wanted && jobs[i].result < 0)
			return jobs[i].result;
	if (kind == BACKING_1G && count_lacking(jobs, n) > 0)
		step_down_together(jobs, n);
	for (unsigned i = 0; i < n; i++) {
		jobs[i].wanted &= jobs[i].result == RESERVE_E_LACK;
		if (jobs[i].wanted)
			add_step(&jobs[i]);
	}
	return count_lacking(jobs, n) > 0 ? RESERVE_E_LACK : 0;
}

void fallback_sum_up(struct backing *backing, unsigned ix)
{
	struct backing_node *node = &backing->node[ix];
	*node->reason = '\0';
	*node->remedy = '\0';
	for (unsigned i = 0; i < backing->n_steps; i++) {
		const struct backing_step *step = &backing->steps[i];
		/* What hinders 2 MiB pages is of most use to an operator. */
		if (step->node_ix != ix ||
		    (*node->reason && step->kind != BACKING_2M))
			continue;
		memcpy(node->reason, step->reason, sizeof(node->reason));
		memcpy(node->remedy, step->remedy, sizeof(node->remedy));
	}
}

/* The least of all pages were not to be had, either. */
static void say_last(struct backing *backing)
{
	const struct backing_step *last = &backing->steps[backing->n_steps - 1];
	snprintf(backing->error, sizeof(backing->error), "%s%s%s", last->reason,
	         *last->remedy ? "; to repair it: " : "", last->remedy);
}

static int climb(struct backing *backing, struct job *jobs,
                 enum backing_kind kind)
{
	for (;; kind++) {
		int r = try_rung(jobs, backing->n_nodes, kind);
		if (r < 0 && !*backing->error)
			lack_of_limit(r, "its memory can't be bound or filled",
			              backing->error, sizeof(backing->error));
		if (r <= 0)
			return r;
		if (kind != BACKING_4K)
			continue;
		say_last(backing);
		return -ENOMEM;
	}
}

/* Why the node's file is what it is, or less than was asked for. */
static void say_outcome(const struct job *job)
{
	struct backing_node *node = &job->backing->node[job->ix];
	fallback_sum_up(job->backing, job->ix);
	node->lack = job->why.lack;
	if (node->lack == BACKING_LACK_NONE)
		return;
	memcpy(node->reason, job->why.reason, sizeof(node->reason));
	memcpy(node->remedy, job->why.remedy, sizeof(node->remedy));
}

int fallback_climb(struct backing *backing,
                   const struct backing_request *request)
{
	struct job *jobs = calloc(backing->n_nodes, sizeof(*jobs));
	int r;
	if (!jobs)
		return -ENOMEM;
	for (unsigned i = 0; i < backing->n_nodes; i++) {
		jobs[i].backing = backing;
		jobs[i].request = request;
		jobs[i].ix = i;
		jobs[i].wanted = true;
	}
	r = climb(backing, jobs, request->first);
	backing->page_shift = backing_kind_shift(backing->node[0].kind);
	for (unsigned i = 0; r == 0 && i < backing->n_nodes; i++)
		say_outcome(&jobs[i]);
	free(jobs);
	return r;
}
