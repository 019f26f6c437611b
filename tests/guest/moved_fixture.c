/* SPDX-License-Identifier: MIT */
#include "tests/guest/moved_fixture.h"

#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_PAGES 16u
#define TRIES 1000u

struct topo topo;
struct backing backing;
struct backing_journal *journal;
struct witness_page pages[PAGES];
unsigned lies[PAGES];
unsigned n_tries;

unsigned pool_of(unsigned node, const char *what)
{
	char path[120];
	unsigned n = 9999;
	FILE *file;
	snprintf(path, sizeof(path),
	         "/sys/devices/system/node/node%u/hugepages/"
	         "hugepages-2048kB/%s_hugepages",
	         node, what);
	file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%u", &n) != 1)
		printf("can't read %s\n", path);
	if (file != NULL)
		fclose(file);
	return n;
}

void set_pool(unsigned node, unsigned n)
{
	char path[120];
	FILE *file;
	snprintf(path, sizeof(path),
	         "/sys/devices/system/node/node%u/hugepages/"
	         "hugepages-2048kB/nr_hugepages",
	         node);
	file = fopen(path, "we");
	if (file != NULL) {
		fprintf(file, "%u\n", n);
		fclose(file);
	}
}

int node_of(const struct witness_page *page)
{
	void *at = page->at;
	int status = -1;
	/* The kernel knows only pages that this process has touched. */
	(void)*(volatile char *)at;
	if (move_pages(0, 1, &at, NULL, &status, 0) != 0)
		return -1;
	return status;
}

bool lie_as_believed(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (node_of(&pages[i]) != (int)lies[i])
			return false;
	return true;
}

bool pools_are_exact(void)
{
	bool exact = true;
	for (unsigned node = 0; node < FIXTURE_NODES; node++) {
		const struct backing_node *row = &backing.node[node];
		uint64_t here = 0;
		for (unsigned i = 0; i < PAGES; i++)
			here += lies[i] == node;
		if (here == row->resident_pages &&
		    here == row->reserved_pages &&
		    here == journal[node].reserved_pages &&
		    journal[node].change_pages == 0 &&
		    here == pool_of(node, "nr") && pool_of(node, "free") == 0 &&
		    pool_of(node, "surplus") == 0)
			continue;
		printf("node %u: %llu lie there, here %llu, reserved %llu, "
		       "pool %u, free %u, surplus %u\n",
		       node, (unsigned long long)here,
		       (unsigned long long)row->resident_pages,
		       (unsigned long long)row->reserved_pages,
		       pool_of(node, "nr"), pool_of(node, "free"),
		       pool_of(node, "surplus"));
		exact = false;
	}
	return exact;
}

int move(unsigned i, unsigned to, struct backing_moved *how)
{
	int r = backing_move(&backing, i / EACH, i % EACH, lies[i], to, how);
	n_tries++;
	if (r == 0)
		lies[i] = to;
	return r;
}

int move_hot(unsigned i, unsigned to, struct backing_moved *how)
{
	int r = move(i, to, how);
	for (unsigned tries = 1; r == -EBUSY && tries < TRIES; tries++) {
		usleep(2000);
		r = move(i, to, how);
	}
	return r;
}

void open_it(void)
{
	static uint64_t files[FIXTURE_NODES];
	static uint64_t starts[FIXTURE_NODES];
	struct backing_request request = {.topo = &topo,
	                                  .name = "migrate",
	                                  .first = BACKING_2M,
	                                  .may_reserve = true,
	                                  .file_bytes = files,
	                                  .start_bytes = starts};
	journal =
		mmap(NULL, FIXTURE_NODES * sizeof(*journal),
	             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	request.journal = journal;
	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		files[i] = FILE_PAGES * WITNESS_PAGE;
		starts[i] = EACH * WITNESS_PAGE;
	}
	if (topo_load(&topo, NULL) != 0 ||
	    backing_open(&backing, &request) != 0 || backing.n_steps != 0) {
		printf("not ok open the files: %s%s\n", topo.error,
		       backing.error);
		exit(1);
	}
	for (unsigned i = 0; i < PAGES; i++) {
		lies[i] = i / EACH;
		pages[i] = (struct witness_page){
		        .fd = backing.node[i / EACH].fd, .page = i % EACH};
	}
	witness_map(pages, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		witness_fill(&pages[i], i * 7919u);
}
