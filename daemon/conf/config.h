/* SPDX-License-Identifier: MIT */
/*
 * What slabd is told: its shape, defaults, and the last check.
 *
 *   config_defaults ──► config_load ──► overrides of the command line
 *        └─────────────────────────────────────────────► config_check
 *
 * options_parse does all of it; the rest of slabd reads a struct config that
 * has been checked. No global state, nothing here is thread-bound. Both
 * structures are flat: copies are good, and nothing needs to be freed.
 */
#ifndef DAEMON_CONF_CONFIG_H
#define DAEMON_CONF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "daemon/base/log.h"

#define CONFIG_POOLS_MAX 16u
#define CONFIG_LIST_MAX 64u /* users or groups of one pool */
#define CONFIG_PATH_BYTES 108u /* what a Unix socket's address holds */

/* What a pool's memory is made of where that is available, before what it falls
 * back to. The unit of growth is 1 GiB for the first, 2 MiB for the rest. */
enum config_page {
	CONFIG_PAGE_1G,
	CONFIG_PAGE_2M,
	CONFIG_PAGE_THP,
	CONFIG_PAGE_4K,
};

/* [balance]: how memory is evened out between the nodes; the same for every
 * pool, until slabctl sets one of them otherwise. */
struct config_balance {
	bool enabled;          /* lend, migrate, return */
	bool migrate;          /* pages may be moved, if we have the right */
	bool far_is_tier;      /* nodes without CPUs are like others */
	unsigned hold_ms;      /* no way back for so long, 10..3600000 */
	unsigned hold_max_ms;  /* the same after many reversals */
	unsigned lend_keep;    /* slabs that a lender keeps, 1..65536 */
	unsigned lend_max;     /* slabs lent to a list at one time, 1..65536 */
	unsigned keep_slabs;   /* that no cache must give, 0..65536 */
	unsigned migrate_cost; /* percent of a use from afar, 1..100000 */
	uint64_t migrate_rate; /* bytes a second, 1M or more */
	unsigned idle_s;       /* empty pages go back after it; 0: never */
	/* Clients wait so long for growth of their own node before they take
	 * from another, 0..1000. */
	unsigned remote_wait_ms;
	/* Stall in a second, by all who want memory, at which clients are
	 * asked to trim; 0: pressure is not watched. */
	unsigned pressure_ms;
};

struct config_ids {
	unsigned n;
	uint32_t id[CONFIG_LIST_MAX];
};

/* One [pool NAME]. */
struct config_pool {
	char name[64];
	/* Most that the pool takes of each node. Bytes, a multiple of the page
	 * (see config_page_bytes); 0: max_percent of the node's memory. */
	uint64_t max_bytes;
	unsigned max_percent; /* 1..100 */
	/* Faulted in on each node at start, before the first client; at most
	 * max_bytes if that is set. To be rounded up to whole pages. */
	uint64_t start_bytes;
	/* What idleness and pressure leave ready on each node; UINT64_MAX:
	 * start_bytes. */
	uint64_t floor_bytes;
	struct config_balance balance; /* a copy of the section's */
	enum config_page page;
	unsigned max_caches;  /* 1..4096 */
	unsigned max_clients; /* 1..16384 */
	/* Of these, by one process and one user; 0: see serve/limits.c. */
	unsigned max_clients_process;
	unsigned max_clients_user;
	unsigned max_roots; /* 0..1024 */
	unsigned max_channels; /* 0..64; and what one of them may hold, 1..16384 */
	unsigned max_channel_capacity;
	/* Arenas that were not reset for so long and are so large are warned of;
	 * 0: none. */
	unsigned arena_warn_s;
	uint64_t arena_warn_bytes;
	/* Who may open it. Both empty: everyone who reaches the socket. Else
	 * a client whose uid is among users or whose gid is among groups. */
	bool leaving; /* no file has it any more: see serve/leaving.h */
	struct config_ids users;
	struct config_ids groups;
};

#define CONFIG_WATCHDOG_MS 30000u

struct config {
	char socket[CONFIG_PATH_BYTES];  /* clients; absolute */
	char control[CONFIG_PATH_BYTES]; /* slabctl, curl; absolute */
	unsigned socket_mode;            /* permission bits */
	unsigned control_mode;
	char metrics[64]; /* "address:port" of the loopback; "off": none */
	char socket_group[64]; /* group of the client socket; "": our own */
	gid_t socket_gid;      /* its id, if socket_group is not "" */
	char control_group[64]; /* those who look and change nothing; "": nobody */
	gid_t control_gid;      /* its id, if control_group is not "" */
	bool reserve_hugepages;
	struct config_balance balance;
	char topology[256]; /* hwloc synthetic description; "": the machine */
	enum log_level log_level;
	unsigned watchdog_ms; /* of --supervise; 0: none */
	unsigned n_pools; /* 1..CONFIG_POOLS_MAX once checked */
	struct config_pool pools[CONFIG_POOLS_MAX];
};

#define CONFIG_ERRORS_MAX 16u
#define CONFIG_ERROR_BYTES 640u

/* What is wrong, one line of text each, without control characters. All zero
 * to begin with. */
struct config_error {
	unsigned n;      /* texts here */
	unsigned n_more; /* further ones that did not fit */
	char text[CONFIG_ERRORS_MAX][CONFIG_ERROR_BYTES];
};

/* Fills in the embedded default: one pool "default", sockets under /run/slabd
 * as root and under $XDG_RUNTIME_DIR/slabd else, $SLABD_SOCKET before both.
 * A socket that the environment does not give stays "", for config_check. */
void config_defaults(struct config *config);

/* Those of [balance], and of one pool. */
void config_default_balance(struct config_balance *balance);
void config_default_pool(struct config_pool *pool, const char *name);

/*
 * Reads a file on top of config, which holds the defaults.
 *
 * A file with pool sections replaces the default pool by them. Adds a fault to
 * err for each line that is wrong, so that the operator can repair all in one
 * go. 0, or -EINVAL with err->n > 0; config is then to be thrown away.
 */
int config_load(struct config *config, const char *path,
                struct config_error *err);

/* Writes config as a file that config_load reads to the same config. */
void config_print(const struct config *config, FILE *out);

/* The last look once file and command line are in: sockets there, absolute and
 * two. 0, or -EINVAL with err->n > 0. */
int config_check(const struct config *config, struct config_error *err);

/* Takes a path for *socket or *control of a config. 0, -EINVAL not absolute or
 * with control characters, -ENAMETOOLONG. */
int config_set_path(char path[CONFIG_PATH_BYTES], const char *value);

/* Unit of growth: 1 GiB for CONFIG_PAGE_1G, else 2 MiB. */
uint64_t config_page_bytes(enum config_page page);

/* Adds one line to err; values that came from outside are made printable. */
void config_error_add(struct config_error *err, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
