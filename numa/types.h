/* SPDX-License-Identifier: MIT */
/* The structures of backing.h, which says what is done with them. */
#ifndef NUMA_TYPES_H
#define NUMA_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "numa/backing_kind.h"
#include "numa/topo.h"

#define BACKING_ERROR 432u /* with a remedy */

/* What lacked. */
enum backing_lack {
	BACKING_LACK_NONE,
	BACKING_LACK_KIND,  /* pages of this kind */
	BACKING_LACK_PAGES, /* free hugepages */
	BACKING_LACK_MEMORY,
	BACKING_LACK_GROUP, /* a control group allows no more */
	BACKING_LACK_UNKNOWN,
};

/* The kernel gave no pages of kind on this node. */
struct backing_step {
	unsigned node_ix;
	enum backing_kind kind;
	char reason[200];
	char remedy[200]; /* a command, or "" if nothing helps */
	enum backing_lack lack;
};

struct backing_node {
	int fd;
	enum backing_kind kind;
	bool bound;              /* pages come from this node alone */
	uint64_t file_bytes;     /* whole pages */
	uint64_t reserved_pages; /* hugepages that we added to this node */
	uint64_t kept_pages;     /* of those, surplus ones of others */
	uint64_t seen_pages; /* that the node had when we looked last; 0: never */
	uint64_t ready_pages;    /* of this file, wherever they lie */
	uint64_t resident_pages; /* lying on this node, of whatever file */
	int64_t populate_ns;     /* reserving and faulting in, at open */
	int64_t rest_until_ns; /* the kernel is asked for no more until then */
	int rest_error; /* that it gave last, 0: it found too few */
	int64_t busy_since_ns; /* another slabd is in the way; 0: it is not */
	uint64_t late_pages;   /* to be given back once it is not */
	/* So much may be taken until then before control groups are looked at
	 * again. */
	uint64_t credit_bytes;
	uint64_t most_bytes; /* that control groups let the node have; 0: any */
	int64_t credit_until_ns;
	enum backing_lack lack; /* of the last grow; NONE: it got all */
	char reason[200]; /* why nothing better, or what the last grow lacked */
	char remedy[200];
	char note[200]; /* why it is not bound, or "" */
};

#define BACKING_JOURNAL_DOWN (UINT64_C(1) << 63)

/*
 * The hugepages of one node that we added to the system, for the process that
 * takes over after a kill: memory of the caller's, all zero at first, that
 * outlives this process.
 */
struct backing_journal {
	volatile uint32_t kind;   /* of the pages below */
	volatile uint32_t moving; /* see migrate_last; 0: none */
	volatile uint64_t reserved_pages;
	/* A change that may be under way: base_pages lasted, and before_pages
	 * were ours; by change_pages at most, up unless that has the bit
	 * BACKING_JOURNAL_DOWN. 0: none, and base_pages lasted after the last,
	 * if before_pages are reserved_pages. */
	volatile uint64_t before_pages;
	volatile uint64_t base_pages;
	volatile uint64_t change_pages;
};

struct backing {
	unsigned n_nodes;
	unsigned page_shift;
	bool may_reserve;
	bool is_copy; /* that a thread works on which nobody waits for */
	/* Nobody maps its files: they are emptied as they close, as the manager
	 * closes its copies when it likes. */
	bool unused;
	void (*emptied)(void); /* a part of one has been; or NULL */
	unsigned max_percent;
	const struct topo *topo;
	char sysfs[128];
	const char *proc; /* as that of cgroup.h */
	bool (*stopped)(void); /* as in a request */
	struct backing_journal *journal; /* by node, or NULL */
	struct backing_node node[TOPO_NODES_MAX];
	unsigned n_steps;
	struct backing_step steps[3 * TOPO_NODES_MAX];
	char error[BACKING_ERROR]; /* why backing_open failed, or "" */
};

struct backing_request {
	const struct topo *topo; /* must outlive the backing */
	const char *name;        /* seen in /proc/PID/maps; up to 200 bytes */
	enum backing_kind first; /* the rung to start from */
	bool may_reserve;        /* raise nr_hugepages where it falls short */
	/* Of the lowest limit of a control group, a node takes no more; 0: as
	 * much as fits. */
	unsigned max_percent;
	const uint64_t *file_bytes;  /* by node; rounded up to the page */
	const uint64_t *start_bytes; /* by node; faulted in at once */
	/* Called while faulting in, at most once per 64 MiB or page, by one
	 * thread at a time, which is not the caller's. May be NULL. */
	void (*progress)(void *arg, unsigned node_ix, uint64_t done_pages,
	                 uint64_t all_pages);
	void *progress_arg;
	/* Asked before each of these steps, by any thread: all ends with
	 * -ECANCELED once it says so. May be NULL. */
	bool (*stopped)(void);
	const char *sysfs;               /* NULL: "/sys" */
	const char *proc; /* NULL: "/proc/self"; outlives the backing */
	struct backing_journal *journal; /* by node; outlives it, or NULL */
};

/* What a move took, or why there was none. */
struct backing_moved {
	uint64_t ns;      /* in the kernel, where clients may wait for it */
	char reason[200]; /* "" after a success */
	char remedy[200]; /* "" if nothing helps */
};

#endif
