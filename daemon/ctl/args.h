/* SPDX-License-Identifier: MIT */
/* slabctl's command line. */
#ifndef DAEMON_CTL_ARGS_H
#define DAEMON_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "daemon/ctl/http.h"
#include "daemon/ctl/verbs.h"

#define CTL_ARGS_WATCH_S 2 /* of --watch without a number */
#define CTL_ARGS_WATCH_MAX_S 86400
#define CTL_ARGS_SPAN_MAX_S 43200
#define CTL_ARGS_PARAMS 8

enum ctl_args_color { CTL_COLOR_AUTO, CTL_COLOR_ALWAYS, CTL_COLOR_NEVER };

struct ctl_args {
	const char *control; /* NULL: the default */
	bool json, help, version;
	enum ctl_args_color color;
	bool undo;
	bool check;
	const char *slabd; /* a program, or NULL */
	const char *trace; /* a file, or NULL */
	const char *write; /* likewise */
	unsigned max_caches; /* 0: nobody said */
	const char *sort; /* the title of a column, or NULL */
	bool reverse;
	unsigned watch_s; /* 0: once */
	/* Of the request, from words and options; NULL values are left out. */
	struct ctl_param param[CTL_ARGS_PARAMS];
	size_t n_params;
	bool changes; /* by POST */
	char span[16]; /* that of --span, in seconds */
	char slab[24]; /* that of dump, in decimal */
	const struct ctl_verb *verb; /* NULL only with help or version */
	char fault[512]; /* what is wrong, and what is allowed */
};

/* 0, or -EINVAL with the fault. */
int ctl_args_parse(struct ctl_args *args, int argc, char **argv);
void ctl_args_usage(FILE *out);

/* The name of an option that takes an argument, if that is one; and all that may
 * stand with a verb (NULL: with some), with a blank between. */
const char *ctl_args_option(const char *name);
const char *ctl_args_options(const struct ctl_verb *verb, char *text,
                             size_t size);

/* A parameter's value, or NULL. */
const char *ctl_args_get(const struct ctl_args *args, const char *key);

/*
 * The socket to use: given, else $SLABD_CONTROL, else that of the slabd which the
 * library finds for this user. 0, or -ENAMETOOLONG.
 */
int ctl_args_control(const char *given, bool root, char *path, size_t size);

#endif
