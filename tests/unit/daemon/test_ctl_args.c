/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/args.h"

/* The words of a command line after the program's name. */
static int parse(struct ctl_args *args, const char *line)
{
	static char words[256]; /* args points into it */
	char *argv[16] = {"slabctl"}, *save = NULL, *word;
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return ctl_args_parse(args, argc, argv);
}

Test(ctl_args, good)
{
	struct ctl_args args;

	cr_assert_eq(parse(&args, "status"), 0);
	cr_expect_str_eq(args.verb->name, "status");
	cr_expect(!args.control && !args.json && !args.watch_s);
	cr_expect_eq(args.color, CTL_COLOR_AUTO);
	cr_assert_eq(parse(&args,
	                   "slabs --pool p --cache=c --node 4 "
	                   "--limit 7 --json --control /x"),
	             0);
	cr_expect_str_eq(ctl_args_get(&args, "pool"), "p");
	cr_expect_str_eq(ctl_args_get(&args, "cache"), "c");
	cr_expect_str_eq(ctl_args_get(&args, "node"), "4");
	cr_expect_str_eq(ctl_args_get(&args, "limit"), "7");
	cr_expect_not(args.changes);
	cr_expect_str_eq(args.control, "/x");
	cr_expect(args.json);
	cr_assert_eq(parse(&args, "roots --cache c --node 4 --name b*"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "name"), "b*");
	cr_assert_eq(parse(&args, "channels --cache c --node 4 --client 3 "
	                          "--name=7"),
	             0);
	cr_expect_str_eq(ctl_args_get(&args, "client"), "3");
	cr_expect_str_eq(ctl_args_get(&args, "name"), "7");
	cr_assert_eq(parse(&args, "--color=always nodes"), 0);
	cr_expect_eq(args.color, CTL_COLOR_ALWAYS);
	cr_assert_eq(parse(&args, "--no-color nodes"), 0);
	cr_expect_eq(args.color, CTL_COLOR_NEVER);
	cr_assert_eq(parse(&args, "--help"), 0);
	cr_expect(args.help && !args.verb);
	cr_assert_eq(parse(&args, "help drain"), 0);
	cr_expect(args.help && !args.verb);
	cr_assert_eq(parse(&args, "--version"), 0);
	cr_expect(args.version);
	cr_assert_eq(parse(&args, "root remove orders -- -x"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "root"), "-x");
}

Test(ctl_args, watch)
{
	struct ctl_args args;

	cr_assert_eq(parse(&args, "--watch nodes"), 0);
	cr_expect_eq(args.watch_s, CTL_ARGS_WATCH_S);
	cr_assert_eq(parse(&args, "--watch 5 nodes"), 0);
	cr_expect_eq(args.watch_s, 5);
	cr_assert_eq(parse(&args, "nodes --watch=7"), 0);
	cr_expect_eq(args.watch_s, 7);
	cr_expect_eq(parse(&args, "nodes --watch=0"), -EINVAL);
	cr_expect_eq(parse(&args, "nodes --watch=99999999999"), -EINVAL);
}

Test(ctl_args, words)
{
	struct ctl_args args;

	cr_assert_eq(parse(&args, "lend orders 0 2 --pool p 4"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "cache"), "orders");
	cr_expect_str_eq(ctl_args_get(&args, "from"), "0");
	cr_expect_str_eq(ctl_args_get(&args, "to"), "2");
	cr_expect_str_eq(ctl_args_get(&args, "n"), "4");
	cr_expect_str_eq(ctl_args_get(&args, "pool"), "p");
	cr_expect(args.changes && !args.undo);
	cr_assert_eq(parse(&args, "migrate 0 2 --cache c"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "cache"), "c");
	cr_expect_null(ctl_args_get(&args, "n"));
	cr_assert_eq(parse(&args, "clients 4 --node 1"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "client"), "4");
	cr_expect_str_eq(ctl_args_get(&args, "node"), "1");
	cr_expect_not(args.changes);
	cr_assert_eq(parse(&args, "clients"), 0);
	cr_assert_eq(parse(&args, "dump 0x1f0000"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "slab"), "2031616");
	cr_assert_eq(parse(&args, "dump 65536"), 0);
	cr_expect_str_eq(ctl_args_get(&args, "slab"), "65536");
	cr_expect_null(ctl_args_get(&args, "client"));
	cr_assert_eq(parse(&args, "drain --undo 3"), 0);
	cr_expect(args.undo && args.changes);
	cr_expect_str_eq(ctl_args_get(&args, "node"), "3");
	cr_assert_eq(parse(&args, "drain 3 --watch"), 0);
	cr_expect_eq(args.watch_s, CTL_ARGS_WATCH_S);
	cr_assert_eq(parse(&args, "trim"), 0);
	cr_expect(args.changes);
	cr_expect_eq(args.n_params, 0);
	cr_assert_eq(parse(&args, "set"), 0);
	cr_expect_not(args.changes);
	cr_assert_eq(parse(&args, "set hold 2s"), 0);
	cr_expect(args.changes);
	cr_expect_str_eq(ctl_args_get(&args, "value"), "2s");
	cr_assert_eq(parse(&args, "log --limit 3 --pool p"), 0);
	cr_expect_not(args.changes);
	cr_assert_eq(parse(&args, "upgrade --check --slabd /opt/slabd"), 0);
	cr_expect(args.check && !args.changes);
	cr_expect_str_eq(args.slabd, "/opt/slabd");
	cr_expect_eq(args.n_params, 0);
}

#define VERBS                                                                  \
	"status nodes caches clients roots channels arenas objpools leaks slabs dump "  \
	"audit doctor advise plan pool log top history lend migrate drain cache root " \
	"channel "                                                                     \
	"evict trim set save upgrade"

static const char *const bad[][2] = {
	{"", "no verb; verbs: " VERBS},
	{"topp", "unknown verb topp; verbs: " VERBS},
	{"status nodes", "one verb at a time, not also nodes; verbs: " VERBS},
	{"--bogus status", "unknown option --bogus; see slabctl --help"},
	{"-xh status", "unknown option -x; see slabctl --help; words that begin with - go behind --"},
	{"status -h4", "unknown option -4; see slabctl --help; words that begin with - go behind --"},
	{"--json=1 status",
         "--json=1: the option takes no value; see slabctl --help"},
	{"--help=me", "--help=me: the option takes no value; see slabctl --help"},
	{"--control= status",
         "--control is empty: give slabd's admin socket"},
	{"status --control", "--control needs an argument"},
	{"--color=red status", "--color=red: allowed are auto, always, never"},
	{"slabs --node x", "--node x: no number"},
	{"slabs --limit -1", "--limit -1: no number"},
	{"dump", "usage: slabctl dump SLAB"},
	{"dump 0x", "dump: slab 0x: no offset; slabctl slabs shows them"},
	{"dump 12q", "dump: slab 12q: no offset; slabctl slabs shows them"},
	{"dump -1", "unknown option -1; see slabctl --help; words that begin with - go behind --"},
	{"dump 0xfffffffffffffffff",
         "dump: slab 0xfffffffffffffffff: no offset; slabctl slabs shows them"},
	{"clients x", "clients: client x: no number"},
	{"clients 1 2", "usage: slabctl clients [ID]"},
	{"nodes --cache c", "--cache does not go with nodes; see slabctl --help"},
	{"roots --client 1", "--client does not go with roots; see slabctl --help"},
	{"roots --name a --name b", "--name is given twice"},
	{"channels --client x", "--client x: no number"},
	{"clients --name a", "--name does not go with clients; see slabctl --help"},
	{"history --span 13h", "--span 13h: allowed are 1s to 12h"},
	{"history --span -1", "--span -1: allowed are 1s to 12h"},
	{"history --span h", "--span h: allowed are 1s to 12h"},
	{"history --span 5mm", "--span 5mm: allowed are 1s to 12h"},
	{"history --span 1h --span 2h", "--span is given twice"},
	{"status --sort max", "--sort does not go with status; see slabctl --help"},
	{"plan --reverse", "--reverse does not go with plan; see slabctl --help"},
	{"caches --sort id --sort name", "--sort is given twice"},
	{"caches --sort id --json",
         "--sort and --reverse are of tables: with --json sort by jq's sort_by"},
	{"top --json", "--json does not go with top; see slabctl --help"},
	{"log --span 1h", "--span does not go with log; see slabctl --help"},
	{"nodes --cache c",
         "--cache does not go with nodes; see slabctl --help"},
	{"log --client 1", "--client does not go with log; see slabctl --help"},
	{"slabs --pool a --pool b", "--pool is given twice"},
	{"status --undo", "--undo does not go with status; see slabctl --help"},
	{"lend", "usage: slabctl lend CACHE FROM TO [N]"},
	{"lend orders 0", "usage: slabctl lend CACHE FROM TO [N]"},
	{"lend orders 0 1 2 3", "usage: slabctl lend CACHE FROM TO [N]"},
	{"lend orders 0 x", "lend: to x: no number"},
	{"lend orders 0 1 -4", "unknown option -4; see slabctl --help; words that begin with - go behind --"},
	{"lend orders 0 1 4k", "lend: n 4k: no number"},
	{"lend orders 0 1 --cache x", "lend: cache is given twice"},
	{"migrate 0", "usage: slabctl migrate FROM TO [N]"},
	{"migrate a 1", "migrate: from a: no number"},
	{"drain", "usage: slabctl drain NODE [--undo]"},
	{"drain 1 --undo --watch",
         "--watch does not go with drain --undo; see slabctl --help"},
	{"lend --watch o 0 1",
         "--watch does not go with lend; see slabctl --help"},
	{"evict", "usage: slabctl evict CLIENT [--kill]"},
	{"evict x", "evict: client x: no number"},
	{"drain 1 --kill", "--kill does not go with drain; see slabctl --help"},
	{"trim 1 2", "usage: slabctl trim [NODE]"},
	{"set hold", "usage: slabctl set [KEY VALUE]"},
	{"upgrade", "usage: slabctl upgrade --check [--slabd PATH]"},
	{"upgrade --slabd x", "usage: slabctl upgrade --check [--slabd PATH]"},
	{"upgrade --check now", "one verb at a time, not also now; verbs: " VERBS},
	{"upgrade --check --slabd a --slabd b", "--slabd is given twice"},
	{"upgrade --check --slabd=", "--slabd is empty: give the path of a slabd"},
	{"upgrade --check --slabd", "--slabd needs an argument"},
	{"upgrade --check=1",
         "--check=1: the option takes no value; see slabctl --help"},
	{"upgrade --check --watch",
         "--watch does not go with upgrade; see slabctl --help"},
	{"advise --caches 3", "--caches goes with --trace alone: a slabd that runs has "
	 "the caches that it has"},
	{"advise --trace=", "--trace is empty: give the path of a trace"},
	{"advise --trace a --trace b", "--trace is given twice"},
	{"advise --trace", "--trace needs an argument"},
	{"advise --trace a --write=",
         "--write is empty: give the path of a file to write"},
	{"advise --trace a --caches 0", "--caches 0: allowed are 1 to 64"},
	{"advise --trace a --caches 65", "--caches 65: allowed are 1 to 64"},
	{"advise --trace a --caches x", "--caches x: allowed are 1 to 64"},
	{"advise --trace a --caches 1 --caches 2", "--caches is given twice"},
	{"advise --trace a --watch",
         "--watch does not go with advise; see slabctl --help"},
	{"status --trace x", "--trace does not go with status; see slabctl --help"},
	{"status --write x", "--write does not go with status; see slabctl --help"},
	{"status --caches 1",
         "--caches does not go with status; see slabctl --help"},
	{"status --check", "--check does not go with status; see slabctl --help"},
	{"status --slabd x", "--slabd does not go with status; see slabctl --help"},
};

Test(ctl_args, bad)
{
	struct ctl_args args;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(parse(&args, bad[i][0]), -EINVAL, "%s",
		             bad[i][0]);
		cr_expect_str_eq(args.fault, bad[i][1]);
	}
}

Test(ctl_args, control)
{
	char path[64];

	unsetenv("SLABD_CONTROL");
	unsetenv("XDG_RUNTIME_DIR");
	cr_expect_eq(ctl_args_control(NULL, true, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/slabd/control.sock");
	cr_expect_eq(ctl_args_control(NULL, false, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/slabd/control.sock");
	setenv("XDG_RUNTIME_DIR", "", 1);
	cr_expect_eq(ctl_args_control(NULL, false, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/slabd/control.sock");
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
