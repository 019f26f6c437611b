/* SPDX-License-Identifier: MIT */
/* The command line of slabd, and the configuration that comes of it. */
#ifndef DAEMON_CONF_OPTIONS_H
#define DAEMON_CONF_OPTIONS_H

#include <stdbool.h>

#include "daemon/conf/config.h"

#define OPTIONS_GIVEN 9u /* options that may be given beside the file */

/* What to run with. config is loaded, overridden and checked. */
struct options {
	bool foreground;      /* log for a terminal, expect no manager */
	bool supervise;       /* start slabd, and start it again */
	bool supervised;      /* the manager is such a one, foreground or not */
	bool check_config;    /* options_parse has then returned 1 */
	bool takes_over;      /* only say what of a running slabd would be */
	bool file_given;      /* file is that of --config */
	/* The fault is the configuration's: a slabd that has something kept may
	 * run with what it ran with before. Throw config away. */
	bool bad_config;
	const char *file;     /* the file read; NULL: embedded default */
	/* Where that is, or would be: absolute, of drop-ins, too. "": in no file. */
	char path[400];
	struct config config;
	/* Of the command line, NULL where it does not say, for options_again. */
	const char *given[OPTIONS_GIVEN];
	struct config_error errors; /* of the configuration */
};

/* Whether a description of a topology is one. 0, or -EINVAL with what is wrong
 * and allowed in why. conf/ knows no topology: slabd.c has the function. */
#define OPTIONS_WHY 400
typedef int options_topology(const char *topology, char why[OPTIONS_WHY]);

/*
 * Parses the command line, reads the file and checks the outcome.
 *
 * Without --config it is SLABD_CONFIG_FILE (set by the build) if that exists,
 * else the embedded default. Does not call log_setup or notify_setup: the
 * caller does, with config.log_level, foreground and supervised. Returns 0 run;
 * 1 done, exit with 0 (help, version, --check-config of a good file); -EINVAL
 * exit with 2, everything is said on standard error with the remedy. opts->file
 * points into argv. With supervise, argv is changed into the line that slabd is
 * to be started with.
 */
int options_parse(int argc, char **argv, struct options *opts,
                  options_topology *check);

/*
 * Reads the same file again, its drop-ins too, with the same command line before
 * it, on top of out, which has the defaults: 0, OPTIONS_E_NO_FILE there was none
 * and there is none; or -EINVAL with what is wrong in err, and then out is to be
 * thrown away. It may take as long as who knows users' names likes, so that
 * another thread may do it; one at a time, as it uses static memory.
 */
#define OPTIONS_E_NO_FILE 1
int options_again(const struct options *opts, struct config *out,
                  struct config_error *err, options_topology *check);

#endif
