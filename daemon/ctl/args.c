/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/advise.h"
#include "daemon/ctl/text.h"

enum {
	OPT_CONTROL = 256,
	OPT_JSON,
	OPT_COLOR,
	OPT_NO_COLOR,
	OPT_WATCH,
	OPT_UNDO,
	OPT_KILL,
	OPT_SORT,
	OPT_REVERSE,
	OPT_CHECK,
	OPT_SLABD,
	OPT_TRACE,
	OPT_WRITE,
	OPT_CACHES,
	OPT_PARAM, /* of the request, by the option's name */
};

static const struct option options[] = {
	{"control", required_argument, NULL, OPT_CONTROL},
	{"json", no_argument, NULL, OPT_JSON},
	{"color", required_argument, NULL, OPT_COLOR},
	{"no-color", no_argument, NULL, OPT_NO_COLOR},
	{"watch", optional_argument, NULL, OPT_WATCH},
	{"undo", no_argument, NULL, OPT_UNDO},
	{"kill", no_argument, NULL, OPT_KILL},
	{"check", no_argument, NULL, OPT_CHECK},
	{"slabd", required_argument, NULL, OPT_SLABD},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"write", required_argument, NULL, OPT_WRITE},
	{"caches", required_argument, NULL, OPT_CACHES},
	{"pool", required_argument, NULL, OPT_PARAM},
	{"cache", required_argument, NULL, OPT_PARAM},
	{"node", required_argument, NULL, OPT_PARAM},
	{"client", required_argument, NULL, OPT_PARAM},
	{"name", required_argument, NULL, OPT_PARAM},
	{"limit", required_argument, NULL, OPT_PARAM},
	{"span", required_argument, NULL, OPT_PARAM},
	{"sort", required_argument, NULL, OPT_SORT},
	{"reverse", no_argument, NULL, OPT_REVERSE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

__attribute__((format(printf, 2, 3)))
static int fail(struct ctl_args *args, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(args->fault, sizeof(args->fault), format, ap);
	va_end(ap);
	return -EINVAL;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* Whether a list of words with a blank between has this one. */
static bool has_word(const char *list, const char *word)
{
	size_t n;
	for (; *list; list += n + (list[n] == ' ')) {
		n = strcspn(list, " ");
		if (n == strlen(word) && memcmp(list, word, n) == 0)
			return true;
	}
	return false;
}

const char *ctl_args_option(const char *name)
{
	for (const struct option *o = options; o->name; o++)
		if (strcmp(o->name, name) == 0 &&
		    o->has_arg == required_argument)
			return o->name;
	return NULL;
}

/* Those that a verb has or has not by its table. */
static bool is_verbs(const struct option *option)
{
	return option->val == OPT_PARAM || option->val == OPT_UNDO ||
	       option->val == OPT_KILL || option->val == OPT_SORT ||
	       option->val == OPT_REVERSE || option->val == OPT_CHECK ||
	       option->val == OPT_SLABD || option->val == OPT_TRACE ||
	       option->val == OPT_WRITE || option->val == OPT_CACHES;
}

const char *ctl_args_options(const struct ctl_verb *verb, char *text,
                             size_t size)
{
	for (const struct option *o = options; o->name; o++)
		if (verb == NULL ||
		    (is_verbs(o) ? has_word(verb->options, o->name)
		                 : o->val != OPT_WATCH || verb->watched))
			ctl_text_append(text, size, "%s--%s",
			                *text ? " " : "", o->name);
	return text;
}

static int set_color(struct ctl_args *args, const char *when)
{
	static const char *const name[] = {
		[CTL_COLOR_AUTO] = "auto",
		[CTL_COLOR_ALWAYS] = "always",
		[CTL_COLOR_NEVER] = "never",
	};
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(when, name[i]) == 0) {
			args->color = (enum ctl_args_color)i;
			return 0;
		}
	}
	return fail(args, "--color=%s: allowed are auto, always, never", when);
}

static int set_watch(struct ctl_args *args, const char *seconds)
{
	unsigned long s = CTL_ARGS_WATCH_S;
	if (seconds)
		s = is_number(seconds) ? strtoul(seconds, NULL, 10) : 0;
	if (s < 1 || s > CTL_ARGS_WATCH_MAX_S)
		return fail(args, "--watch: allowed are 1 to %d seconds",
		            CTL_ARGS_WATCH_MAX_S);
	args->watch_s = (unsigned)s;
	return 0;
}

const char *ctl_args_get(const struct ctl_args *args, const char *key)
{
	for (size_t i = 0; i < args->n_params; i++)
		if (strcmp(args->param[i].key, key) == 0)
			return args->param[i].value;
	return NULL;
}

/* Counts and nodes are numbers. what is the word or option, for people. */
static int add_param(struct ctl_args *args, const char *key, const char *what,
                     const char *value)
{
	size_t i = args->n_params;
	if (has_word("node limit from to n client", key) && !is_number(value))
		return fail(args, "%s %s: no number", what, value);
	if (ctl_args_get(args, key) || i == CTL_ARGS_PARAMS)
		return fail(args, "%s is given twice", what);
	args->param[i] = (struct ctl_param){key, value};
	args->n_params++;
	return 0;
}

/* A time, "90", "90s", "5m" or "1h", as seconds. */
static int set_span(struct ctl_args *args, const char *time)
{
	unsigned long factor = 1, n;
	char *end;
	n = strtoul(time, &end, 10);
	if (*end == 'h')
		factor = 3600;
	else if (*end == 'm')
		factor = 60;
	if (*end && strchr("hms", *end))
		end++;
	if (end == time || *end || *time < '0' || *time > '9' || n == 0 ||
	    n > CTL_ARGS_SPAN_MAX_S / factor)
		return fail(args, "--span %s: allowed are 1s to 12h", time);
	snprintf(args->span, sizeof(args->span), "%lu", n * factor);
	return add_param(args, "span", "--span", args->span);
}

/* An offset, in hexadecimal as slabs shows it, or decimal. */
static int set_slab(struct ctl_args *args, const char *offset)
{
	char *end;
	unsigned long long n;
	errno = 0;
	n = strtoull(offset, &end, strncmp(offset, "0x", 2) == 0 ? 16 : 10);
	if (errno != 0 || end == offset || *end || *offset < '0' ||
	    *offset > '9')
		return fail(args, "dump: slab %.64s: no offset; slabctl slabs "
		            "shows them", offset);
	snprintf(args->slab, sizeof(args->slab), "%llu", n);
	return add_param(args, "slab", "dump: slab", args->slab);
}

/* getopt leaves an option that takes no value in optopt, or the letter that it
 * does not know, the word of which it may not have left yet. */
static int bad_option(struct ctl_args *args, int opt, const char *word)
{
	if (opt == ':')
		return fail(args, "%s needs an argument", word);
	if (optopt >= OPT_CONTROL || optopt == 'h' || optopt == 'V')
		return fail(args, "%s: the option takes no value; see slabctl "
		            "--help", word);
	if (optopt)
		return fail(args, "unknown option -%c; see slabctl --help; "
		            "words that begin with - go behind --", optopt);
	return fail(args, "unknown option %s; see slabctl --help", word);
}

static int set_path(struct ctl_args *args, const char **path, const char *name,
                    const char *of)
{
	if (*path)
		return fail(args, "--%s is given twice", name);
	*path = optarg;
	return *optarg ? 0 : fail(args, "--%s is empty: give the path of %s",
	                          name, of);
}

/* An option that is the path of a file. */
static int set_file(struct ctl_args *args, int opt)
{
	if (opt == OPT_SLABD)
		return set_path(args, &args->slabd, "slabd", "a slabd");
	if (opt == OPT_TRACE)
		return set_path(args, &args->trace, "trace", "a trace");
	return set_path(args, &args->write, "write", "a file to write");
}

static int set_caches(struct ctl_args *args, const char *n)
{
	unsigned long value = is_number(n) ? strtoul(n, NULL, 10) : 0;
	if (args->max_caches)
		return fail(args, "--caches is given twice");
	if (value < 1 || value > CTL_ADVISE_CACHES_MAX)
		return fail(args, "--caches %s: allowed are 1 to %u", n,
		            CTL_ADVISE_CACHES_MAX);
	args->max_caches = (unsigned)value;
	return 0;
}

/* A getopt result into args: that of options[ix], or of a letter. */
static int set_option(struct ctl_args *args, int opt, int ix, char **argv)
{
	char what[16];
	switch (opt) {
	case OPT_CONTROL:
		args->control = optarg;
		if (*optarg)
			return 0;
		return fail(args, "--control is empty: give slabd's admin "
		            "socket");
	case OPT_JSON:
		args->json = true;
		return 0;
	case OPT_UNDO:
		args->undo = true;
		return 0;
	case OPT_KILL:
		return add_param(args, "kill", "--kill", "1");
	case OPT_SORT:
		if (args->sort)
			return fail(args, "--sort is given twice");
		args->sort = optarg;
		return 0;
	case OPT_REVERSE:
		args->reverse = true;
		return 0;
	case OPT_CHECK:
		args->check = true;
		return 0;
	case OPT_SLABD:
	case OPT_TRACE:
	case OPT_WRITE:
		return set_file(args, opt);
	case OPT_CACHES:
		return set_caches(args, optarg);
	case OPT_NO_COLOR:
		args->color = CTL_COLOR_NEVER;
		return 0;
	case OPT_COLOR:
		return set_color(args, optarg);
	case OPT_WATCH:
		/* "--watch 5": getopt wants an optional argument glued on. */
		if (!optarg && argv[optind] && is_number(argv[optind]))
			optarg = argv[optind++];
		return set_watch(args, optarg);
	case OPT_PARAM:
		if (strcmp(options[ix].name, "span") == 0)
			return set_span(args, optarg);
		snprintf(what, sizeof(what), "--%s", options[ix].name);
		return add_param(args, options[ix].name, what, optarg);
	case 'h':
		args->help = true;
		return 0;
	case 'V':
		args->version = true;
		return 0;
	default:
		return bad_option(args, opt, argv[optind - 1]);
	}
}

static int no_verb(struct ctl_args *args, const char *what, const char *name)
{
	fail(args, "%s%.64s; verbs:", what, name);
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
		ctl_text_append(args->fault, sizeof(args->fault), " %s",
		                v->name);
	return -EINVAL;
}

/* The words after the verb, each to its parameter; those that may be left out
 * come together. */
static int set_words(struct ctl_args *args, int n, char **word)
{
	const struct ctl_verb *v = args->verb;
	char what[40];
	int all = 0, r = 0;
	while (all < CTL_WORDS && v->word[all])
		all++;
	if (n != all && n != v->n_must)
		return fail(args, "usage: slabctl %s %s", v->name, v->usage);
	for (int i = 0; i < n && r == 0; i++) {
		const char *key =
			v->word[i > 0 && v->skips && n < all ? i + 1 : i];
		snprintf(what, sizeof(what), "%s: %s", v->name, key);
		r = strcmp(key, "slab") == 0
		            ? set_slab(args, word[i])
		            : add_param(args, key, what, word[i]);
	}
	args->changes = v->changes && (n > 0 || !v->looks_without);
	return r;
}

static int set_verb(struct ctl_args *args, int argc, char **argv)
{
	if (argc == 0)
		return no_verb(args, "no verb", "");
	args->help = strcmp(argv[0], "help") == 0;
	if (args->help)
		return 0;
	args->verb = ctl_verbs_find(argv[0]);
	if (!args->verb)
		return no_verb(args, "unknown verb ", argv[0]);
	if (argc > 1 && !args->verb->word[0])
		return no_verb(args, "one verb at a time, not also ",
		               argv[argc - 1]);
	return set_words(args, argc - 1, argv + 1);
}

/* Whether the options go with the verb, and with each other: the first n_given
 * parameters are options. */
static int check(struct ctl_args *args, size_t n_given)
{
	const char *takes = args->verb->options, *wrong = NULL;
	if (args->undo && !has_word(takes, "undo"))
		wrong = "undo";
	if (args->watch_s && (!args->verb->watched || args->undo))
		wrong = "watch";
	for (size_t i = 0; i < n_given; i++)
		if (!has_word(takes, args->param[i].key))
			wrong = args->param[i].key;
	if (args->check && !has_word(takes, "check"))
		wrong = "check";
	if (args->slabd && !has_word(takes, "slabd"))
		wrong = "slabd";
	if (args->trace && !has_word(takes, "trace"))
		wrong = "trace";
	if (args->write && !has_word(takes, "write"))
		wrong = "write";
	if (args->max_caches && !has_word(takes, "caches"))
		wrong = "caches";
	if (args->json && !args->verb->show)
		wrong = "json";
	if (args->reverse && !has_word(takes, "reverse"))
		wrong = "reverse";
	if (args->sort && !has_word(takes, "sort"))
		wrong = "sort";
	if (args->json && (args->sort || args->reverse))
		return fail(args, "--sort and --reverse are of tables: with "
		            "--json sort by jq's sort_by");
	/* It looks alone: nothing is upgraded without a word of that. */
	if (!wrong && !args->check && has_word(takes, "check"))
		return fail(args, "usage: slabctl %s %s", args->verb->name,
		            args->verb->usage);
	if (!wrong && args->max_caches && !args->trace)
		return fail(args, "--caches goes with --trace alone: a slabd "
		            "that runs has the caches that it has");
	if (!wrong)
		return 0;
	return fail(args, "--%s does not go with %s%s; see slabctl --help",
	            wrong, args->verb->name,
	            args->undo && strcmp(wrong, "watch") == 0 ? " --undo" : "");
}

int ctl_args_parse(struct ctl_args *args, int argc, char **argv)
{
	size_t n_given;
	int opt, ix = 0, r;
	memset(args, 0, sizeof(*args));
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hV", options, &ix)) != -1) {
		r = set_option(args, opt, ix, argv);
		if (r < 0)
			return r;
	}
	if (args->help || args->version)
		return 0;
	n_given = args->n_params;
	r = set_verb(args, argc - optind, argv + optind);
	return r < 0 || args->help ? r : check(args, n_given);
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
	else if (root || !runtime || !*runtime)
		n = snprintf(path, size, "/run/slabd/control.sock");
	else
		n = snprintf(path, size, "%s/slabd/control.sock", runtime);
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}
