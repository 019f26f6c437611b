/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl_args.h"

/* The words of a command line after the program's name. */
static int parse(struct ctl_args *args, const char *line, char fault[512])
{
	static char words[256]; /* args points into it */
	char *argv[16] = {"slabctl"}, *save = NULL, *word;
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return ctl_args_parse(args, argc, argv, fault, 512);
}

Test(ctl_args, good)
{
	struct ctl_args args;
	char fault[512];

	cr_assert_eq(parse(&args, "status", fault), 0);
	cr_expect_str_eq(args.verb->name, "status");
	cr_expect(!args.control && !args.json && !args.watch_s);
	cr_expect_eq(args.color, CTL_COLOR_AUTO);
	cr_assert_eq(parse(&args,
	                   "slabs --pool p --cache=c --node 4 "
	                   "--limit 7 --json --control /x",
	                   fault),
	             0);
	cr_expect_str_eq(args.pool, "p");
	cr_expect_str_eq(args.cache, "c");
	cr_expect_str_eq(args.node, "4");
	cr_expect_str_eq(args.limit, "7");
	cr_expect_str_eq(args.control, "/x");
	cr_expect(args.json);
	cr_assert_eq(parse(&args, "--color=always nodes", fault), 0);
	cr_expect_eq(args.color, CTL_COLOR_ALWAYS);
	cr_assert_eq(parse(&args, "--no-color nodes", fault), 0);
	cr_expect_eq(args.color, CTL_COLOR_NEVER);
	cr_assert_eq(parse(&args, "--help", fault), 0);
	cr_expect(args.help && !args.verb);
	cr_assert_eq(parse(&args, "--version", fault), 0);
	cr_expect(args.version);
}

Test(ctl_args, watch)
{
	struct ctl_args args;
	char fault[512];

	cr_assert_eq(parse(&args, "--watch nodes", fault), 0);
	cr_expect_eq(args.watch_s, CTL_ARGS_WATCH_S);
	cr_assert_eq(parse(&args, "--watch 5 nodes", fault), 0);
	cr_expect_eq(args.watch_s, 5);
	cr_assert_eq(parse(&args, "nodes --watch=7", fault), 0);
	cr_expect_eq(args.watch_s, 7);
	cr_expect_eq(parse(&args, "nodes --watch=0", fault), -EINVAL);
	cr_expect_eq(parse(&args, "nodes --watch=99999999999", fault), -EINVAL);
}

static const char *const bad[][2] = {
	{"", "no verb; verbs: status nodes caches clients slabs audit"},
	{"top", "unknown verb top; verbs: status nodes caches clients slabs "
                "audit"},
	{"status nodes", "one verb at a time, not also nodes; verbs: status "
                         "nodes caches clients slabs audit"},
	{"--bogus status", "unknown option --bogus; see slabctl --help"},
	{"status --control", "--control needs an argument"},
	{"--color=red status", "--color=red: allowed are auto, always, never"},
	{"slabs --node x", "--node x: no number"},
	{"slabs --limit -1", "--limit -1: no number"},
	{"nodes --pool p",
         "--pool, --cache, --node and --limit go with slabs alone"},
	{"--json --watch status",
         "--json gives one document: it does not go with --watch"},
};

Test(ctl_args, bad)
{
	struct ctl_args args;
	char fault[512];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(parse(&args, bad[i][0], fault), -EINVAL, "%s",
		             bad[i][0]);
		cr_expect_str_eq(fault, bad[i][1]);
	}
}

Test(ctl_args, control)
{
	char path[64];

	unsetenv("SLABD_CONTROL");
	unsetenv("XDG_RUNTIME_DIR");
	cr_expect_eq(ctl_args_control(NULL, true, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/slabd/control.sock");
	cr_expect_eq(ctl_args_control(NULL, false, path, sizeof(path)),
	             -ENOENT);
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	cr_expect_eq(ctl_args_control(NULL, false, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/user/1/slabd/control.sock");
	setenv("SLABD_CONTROL", "/env", 1);
	cr_expect_eq(ctl_args_control(NULL, true, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/env");
	cr_expect_eq(ctl_args_control("/given", true, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/given");
	cr_expect_eq(ctl_args_control("/given", true, path, 4), -ENAMETOOLONG);
}
