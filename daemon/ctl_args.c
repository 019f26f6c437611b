/* SPDX-License-Identifier: MIT */
#include "daemon/ctl_args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_CONTROL = 256,
	OPT_JSON,
	OPT_COLOR,
	OPT_NO_COLOR,
	OPT_WATCH,
	OPT_POOL,
	OPT_CACHE,
	OPT_NODE,
	OPT_LIMIT,
};

static const struct option options[] = {
	{"control", required_argument, NULL, OPT_CONTROL},
	{"json", no_argument, NULL, OPT_JSON},
	{"color", required_argument, NULL, OPT_COLOR},
	{"no-color", no_argument, NULL, OPT_NO_COLOR},
	{"watch", optional_argument, NULL, OPT_WATCH},
	{"pool", required_argument, NULL, OPT_POOL},
	{"cache", required_argument, NULL, OPT_CACHE},
	{"node", required_argument, NULL, OPT_NODE},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

void ctl_args_usage(FILE *out)
{
	fputs("usage: slabctl [options] VERB\n"
	      "\n"
	      "verbs:\n"
	      "  status    the daemon, its pools, what startup got, drops\n"
	      "  nodes     memory of each NUMA node, with bars\n"
	      "  caches    object types, most bytes in use first\n"
	      "  clients   processes and what they hold\n"
	      "  slabs     single slabs\n"
	      "  audit     recount every object; exit 0 only if all agree\n"
	      "\n"
	      "options:\n"
	      "  --control PATH    slabd's admin socket\n"
	      "  --json            print the reply itself\n"
	      "  --watch[=SECONDS] again and again, every 2 s\n"
	      "  --color=WHEN      auto, always or never; --no-color: never\n"
	      "  --help, --version\n"
	      "options of slabs:\n"
	      "  --pool NAME, --cache NAME, --node ID   only these\n"
	      "  --limit N                              at most N a pool\n",
	      out);
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int set_color(struct ctl_args *args, const char *when)
{
	static const char *const name[] = {
		[CTL_COLOR_AUTO] = "auto",
		[CTL_COLOR_ALWAYS] = "always",
		[CTL_COLOR_NEVER] = "never",
	};
	unsigned i;

	for (i = 0; i < 3; i++) {
		if (strcmp(when, name[i]) == 0) {
			args->color = (enum ctl_args_color)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_watch(struct ctl_args *args, const char *seconds)
{
	unsigned long s = CTL_ARGS_WATCH_S;

	if (seconds) {
		if (!is_number(seconds))
			return -EINVAL;
		s = strtoul(seconds, NULL, 10);
	}
	if (s < 1 || s > CTL_ARGS_WATCH_MAX_S)
		return -EINVAL;
	args->watch_s = (unsigned)s;
	return 0;
}

/* A getopt result into args; -EINVAL with fault. */
static int set_option(struct ctl_args *args, int opt, char *fault, size_t size)
{
	const char **text[] = {&args->pool, &args->cache, &args->node,
	                       &args->limit};

	switch (opt) {
	case OPT_CONTROL:
		args->control = optarg;
		return 0;
	case OPT_JSON:
		args->json = true;
		return 0;
	case OPT_NO_COLOR:
		args->color = CTL_COLOR_NEVER;
		return 0;
	case OPT_COLOR:
		if (set_color(args, optarg) == 0)
			return 0;
		snprintf(fault, size,
		         "--color=%s: allowed are auto, always, never", optarg);
		return -EINVAL;
	case OPT_WATCH:
		if (set_watch(args, optarg) == 0)
			return 0;
		snprintf(fault, size, "--watch: allowed are 1 to %d seconds",
		         CTL_ARGS_WATCH_MAX_S);
		return -EINVAL;
	case OPT_NODE:
	case OPT_LIMIT:
		if (!is_number(optarg)) {
			snprintf(fault, size, "%s %s: no number",
			         opt == OPT_NODE ? "--node" : "--limit",
			         optarg);
			return -EINVAL;
		}
		break;
	default:
		break;
	}
	*text[opt - OPT_POOL] = optarg;
	return 0;
}

static int bad_option(int opt, char **argv, char *fault, size_t size)
{
	if (opt == ':')
		snprintf(fault, size, "%s needs an argument", argv[optind - 1]);
	else
		snprintf(fault, size, "unknown option %s; see slabctl --help",
		         argv[optind - 1]);
	return -EINVAL;
}

static int set_verb(struct ctl_args *args, int argc, char **argv, char *fault,
                    size_t size)
{
	const char *what = argc ? "unknown verb " : "no verb";
	const struct ctl_verb *v;
	size_t len;

	args->verb = argc == 1 ? ctl_render_verb(argv[0]) : NULL;
	if (args->verb)
		return 0;
	if (argc > 1)
		what = "one verb at a time, not also ";
	len = (size_t)snprintf(fault, size, "%s%.64s; verbs:", what,
	                       argc ? argv[argc - 1] : "");
	for (v = ctl_render_verbs; v->name && len < size; v++)
		len += (size_t)snprintf(fault + len, size - len, " %s",
		                        v->name);
	return -EINVAL;
}

static int check(const struct ctl_args *args, char *fault, size_t size)
{
	if (args->json && args->watch_s) {
		snprintf(fault, size,
		         "--json gives one document: "
		         "it does not go with --watch");
		return -EINVAL;
	}
	if (!args->verb->filters &&
	    (args->pool || args->cache || args->node || args->limit)) {
		snprintf(fault, size,
		         "--pool, --cache, --node and --limit "
		         "go with slabs alone");
		return -EINVAL;
	}
	return 0;
}

int ctl_args_parse(struct ctl_args *args, int argc, char **argv, char *fault,
                   size_t size)
{
	int opt, r;

	memset(args, 0, sizeof(*args));
	fault[0] = '\0';
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
		if (opt == 'h' || opt == 'V') {
			args->help |= opt == 'h';
			args->version |= opt == 'V';
			continue;
		}
		if (opt < OPT_CONTROL)
			return bad_option(opt, argv, fault, size);
		/* "--watch 5": getopt wants an optional argument glued on. */
		if (opt == OPT_WATCH && !optarg && optind < argc &&
		    is_number(argv[optind]))
			optarg = argv[optind++];
		r = set_option(args, opt, fault, size);
		if (r < 0)
			return r;
	}
	if (args->help || args->version)
		return 0;
	r = set_verb(args, argc - optind, argv + optind, fault, size);
	return r < 0 ? r : check(args, fault, size);
}

int ctl_args_control(const char *given, bool root, char *path, size_t size)
{
	const char *env = secure_getenv("SLABD_CONTROL");
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	int n;

	if (!given && env && *env)
		given = env;
	if (given)
		n = snprintf(path, size, "%s", given);
	else if (root)
		n = snprintf(path, size, "/run/slabd/control.sock");
	else if (runtime && *runtime)
		n = snprintf(path, size, "%s/slabd/control.sock", runtime);
	else
		return -ENOENT;
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}
