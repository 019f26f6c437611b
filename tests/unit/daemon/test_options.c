/* SPDX-License-Identifier: MIT */
/* The command line: what it says, on which stream, and how it overrides. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log_file.h"
#include "daemon/conf/options.h"

static struct options opts;
static char out[8192], errors[16384];

/* slabd's own asks hwloc (proc_start runs it). */
static int check_topology(const char *topology, char why[OPTIONS_WHY])
{
	if (strcmp(topology, "nonsense") != 0)
		return 0;
	snprintf(why, OPTIONS_WHY, "not a topology; allowed: another");
	return -EINVAL;
}

/* Runs with what goes to the two streams kept. */
static int parse_argv(int argc, char **argv)
{
	int out_fd = memfd_create("out", MFD_CLOEXEC);
	int err_fd = memfd_create("err", MFD_CLOEXEC);
	int old_out = dup(1), old_err = dup(2);
	ssize_t len;
	fflush(NULL);
	cr_assert(dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2);
	int rc = options_parse(argc, argv, &opts, check_topology);
	fflush(NULL);
	/* A thread writes what is logged. */
	log_file_drain(10000);
	dup2(old_out, 1);
	dup2(old_err, 2);
	len = pread(out_fd, out, sizeof(out) - 1, 0);
	out[len > 0 ? len : 0] = '\0';
	len = pread(err_fd, errors, sizeof(errors) - 1, 0);
	errors[len > 0 ? len : 0] = '\0';
	close(out_fd);
	close(err_fd);
	close(old_out);
	close(old_err);
	return rc;
}

#define parse(...)                                                             \
	parse_words((char *[]){ (char *)"/usr/sbin/slabd", __VA_ARGS__, NULL })
static int parse_words(char **argv)
{
	int argc = 0;
	while (argv[argc] != NULL)
		argc++;
	return parse_argv(argc, argv);
}

/* A file that stays open for the test; its path is in static storage. */
static char *file_of(const char *text)
{
	static char path[64];
	int fd = memfd_create("conf", MFD_CLOEXEC);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void set_up(void)
{
	unsetenv("SLABD_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/tmp/run", 1);
}

TestSuite(options, .init = set_up);

Test(options, nothing)
{
	char *empty = file_of("");
	cr_expect_eq(parse("--config", empty), 0);
	cr_expect_str_empty(out);
	cr_expect_str_empty(errors);
	cr_expect_not(opts.foreground);
	cr_expect_not(opts.check_config);
	cr_expect_str_eq(opts.file, empty);
	cr_expect_eq(opts.config.n_pools, 1);
	cr_expect_eq(opts.config.log_level, LOG_LEVEL_INFO);
}

Test(options, default_file)
{
	if (access(SLABD_CONFIG_FILE, F_OK) == 0)
		cr_skip_test("this machine has a " SLABD_CONFIG_FILE);
	cr_expect_eq(parse("--foreground"), 0);
	cr_expect(opts.foreground);
	cr_expect_null(opts.file);
	cr_expect_str_eq(opts.config.pools[0].name, "default");
}

Test(options, all_override_the_file)
{
	char *file = file_of("[slabd]\nsocket=/f/a\ncontrol=/f/b\n"
	                     "log_level = error\n[pool x]\n");
	setenv("SLABD_SOCKET", "/e/a", 1);
	cr_expect_eq(parse("--socket=/o/a", "--control", "/o/b", "--config",
	                   file, "--log-level", "debug", "--foreground"), 0);
	cr_expect_str_eq(opts.config.socket, "/o/a");
	cr_expect_str_eq(opts.config.control, "/o/b");
	cr_expect_eq(opts.config.log_level, LOG_LEVEL_DEBUG);
	cr_expect_str_eq(opts.config.pools[0].name, "x");
	cr_expect(opts.foreground);
	cr_expect_eq(parse("--config", file), 0);
	cr_expect_str_eq(opts.config.socket, "/f/a");
	cr_expect_eq(opts.config.log_level, LOG_LEVEL_ERROR);
}

/* What slabd is started with is the line itself, but for one word. */
Test(options, supervise)
{
	char *empty = file_of("");
	char *line[] = { (char *)"slabd", (char *)"--log-level",
		         (char *)"warn", (char *)"--supervise",
		         (char *)"--config", empty, NULL };
	cr_expect_eq(parse_words(line), 0);
	cr_expect(opts.supervise);
	cr_expect_not(opts.supervised);
	cr_expect_eq(opts.config.log_level, LOG_LEVEL_WARN);
	cr_expect_str_eq(line[0], "slabd");
	cr_expect_str_eq(line[2], "warn");
	cr_expect_str_eq(line[3], "--supervised");
	cr_expect_str_eq(line[5], empty);
	cr_expect_eq(parse_words(line), 0);
	cr_expect(opts.supervised);
	cr_expect_not(opts.supervise);
	cr_expect_eq(parse("--config", empty, "--foreground", "--supervise"),
	             0);
	cr_expect(opts.foreground && opts.supervise);
}

Test(options, help_and_version)
{
	static const char *const named[] = { "--config", "--foreground",
		"--socket", "--control", "--check-config", "--supervise",
		"--log-level", "--help", "--version", "--takes-over",
		SLABD_CONFIG_FILE };
	cr_expect_eq(parse("--help"), 1);
	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		cr_expect_not_null(strstr(out, named[i]), "%s", named[i]);
	cr_expect_str_empty(errors);
	cr_expect_eq(parse("--version", "--nonsense"), 1);
	cr_expect_str_eq(out, "slabd " PACKAGE_VERSION "\n");
	cr_expect_str_empty(errors);
}

/* A full disk, behind a redirection. */
Test(options, output_that_is_lost)
{
	char *line[] = { (char *)"slabd", (char *)"--version", NULL };
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int old = dup(1);
	int rc;
	fflush(NULL);
	cr_assert(full >= 0 && old >= 0 && dup2(full, 1) == 1);
	rc = options_parse(2, line, &opts, check_topology);
	dup2(old, 1);
	cr_expect_eq(rc, -EINVAL);
}

static void expect_usage(int rc, const char *what)
{
	cr_expect_eq(rc, -EINVAL);
	cr_expect_str_empty(out);
	cr_expect_not_null(strstr(errors, what), "no <%s> in: %s", what,
	                   errors);
	cr_expect_eq(strncmp(errors, "slabd: ", 7), 0, "%s", errors);
}

Test(options, usage_errors)
{
	expect_usage(parse("--bogus"), "unrecognized option '--bogus'");
	expect_usage(parse("--bogus"), "Try \"slabd --help\".");
	expect_usage(parse("--super"), "'--super' is ambiguous");
	expect_usage(parse("--check-config", "--supervise"),
	             "leave one of them out");
	expect_usage(parse("--takes-over", "--supervise"),
	             "--takes-over starts nothing, and does not go with "
	             "--supervise; leave one of them out");
	expect_usage(parse("--takes-over", "--check-config"),
	             "leave one of them out");
	expect_usage(parse("--config"), "'--config' requires an argument");
	expect_usage(parse("--foreground=yes"), "doesn't allow an argument");
	expect_usage(parse("-x"), "invalid option");
	expect_usage(parse("start\n"), "\"start\\x0a\" is not an option");
	expect_usage(parse("--", "--help"), "\"--help\" is not an option");
	expect_usage(parse("--log-level", "loud"),
	             "--log-level \"loud\" is not a level; allowed: error, "
	             "warn, info or debug");
	expect_usage(parse("--socket", "here"), "--socket \"here\" can't be "
	             "used; allowed: an absolute path");
	expect_usage(parse("--control", ""), "--control \"\" can't be used");
	expect_usage(parse("--socket", "/x", "--control", "/x"), "two paths");
	expect_usage(parse("--config", "/nonexistent"),
	             "/nonexistent: can't be opened");
}

Test(options, file_and_line_errors_come_together)
{
	char *file = file_of("[slabd]\nxyz = 1\nlog_level = x\n[nope]\n");
	expect_usage(parse("--config", file, "--socket", "rel"), ":2: key "
	             "\"xyz\" in [slabd] is unknown; allowed: ");
	cr_expect_not_null(strstr(errors, ":3: key \"log_level\""));
	cr_expect_not_null(strstr(errors, ":4: section [nope]"));
	cr_expect_not_null(strstr(errors, "--socket \"rel\""));
	expect_usage(parse("--config", file, "--check-config"), ":2: ");
}

/* Before slabd starts, and when it only looks. */
Test(options, topology)
{
	char *good = file_of("[slabd]\ntopology = node:2 core:4 pu:1\n");
	cr_expect_eq(parse("--config", good), 0, "%s", errors);
	expect_usage(parse("--config",
	                   file_of("[slabd]\ntopology = nonsense\n"),
	                   "--check-config"),
	             ": key \"topology\" in [slabd]: not a topology; allowed: "
	             "another");
}

Test(options, more_errors_than_fit)
{
	char text[1000] = "[slabd]\n";
	for (int i = 0; i < 19; i++)
		sprintf(text + strlen(text), "k%d = 1\n", i);
	expect_usage(parse("--config", file_of(text)), "\"k15\"");
	cr_expect_not_null(strstr(errors, "slabd: and 3 more\n"));
}

Test(options, check_config_prints_ini)
{
	char *file = file_of("[slabd]\nsocket=/f/a\n[pool x]\nmax = 2048M\n");
	cr_expect_eq(parse("--check-config", "--config", file, "--control",
	                   "/o/b"), 1);
	cr_expect(opts.check_config);
	cr_expect_str_empty(errors);
	cr_expect_eq(strstr(out, "[slabd]\nsocket = /f/a\ncontrol = /o/b\n"),
	             out, "%s", out);
	cr_expect_not_null(strstr(out, "\n[pool x]\nmax = 2G\nstart = 16M\n"
	                               "page = 2m\n"));
	file = file_of(out);
	cr_expect_eq(parse("--config", file), 0, "%s", errors);
	cr_expect_str_eq(opts.config.control, "/o/b");
}

/* ---- the same again ------------------------------------------------------- */

static char folder[] = "/tmp/slabd-options-XXXXXX";

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

/* slabd leaves its folder, and a drop-in may have come. */
Test(options, again)
{
	static struct config now;
	struct config_error err = {0};
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	write_file("a.conf", "[slabd]\nlog_level = warn\nsocket = /f/a\n");
	cr_assert_eq(parse("--config", (char *)"a.conf", "--socket", "/o/a"), 0,
	             "%s", errors);
	cr_assert_eq(mkdir("a.conf.d", 0700), 0);
	write_file("a.conf.d/1.conf", "[slabd]\nlog_level = debug\n"
	                              "[pool new]\nmax_clients = 7\n");
	cr_assert_eq(chdir("/"), 0);
	config_defaults(&now);
	cr_expect_eq(options_again(&opts, &now, &err, check_topology), 0, "%s",
	             err.text[0]);
	cr_expect_eq(now.log_level, LOG_LEVEL_DEBUG);
	cr_expect_str_eq(now.socket, "/o/a", "the command line goes before");
	cr_expect_str_eq(now.pools[0].name, "new");
	cr_expect_eq(opts.config.log_level, LOG_LEVEL_WARN, "as it was");
	write_file(opts.path, "[slabd]\ntopology = nonsense\n");
	config_defaults(&now);
	cr_expect_eq(options_again(&opts, &now, &err, check_topology), -EINVAL);
	cr_expect(strstr(err.text[0], "not a topology") != NULL, "%s",
	          err.text[0]);
	cr_assert_eq(chdir(folder), 0);
	cr_assert(unlink("a.conf.d/1.conf") == 0 && rmdir("a.conf.d") == 0 &&
	          unlink("a.conf") == 0);
	err.n = 0;
	config_defaults(&now);
	cr_expect_eq(options_again(&opts, &now, &err, check_topology), -EINVAL,
	             "a file that is gone is no defaults");
	cr_expect_eq(err.n, 1);
	cr_assert(chdir("/") == 0 && rmdir(folder) == 0);
}

Test(options, again_of_no_file)
{
	static struct config now;
	struct config_error err = {0};
	if (access(SLABD_CONFIG_FILE, F_OK) == 0)
		cr_skip_test("this machine has a " SLABD_CONFIG_FILE);
	cr_assert_eq(parse("--foreground"), 0);
	cr_expect_eq(options_again(&opts, &now, &err, check_topology),
	             OPTIONS_E_NO_FILE);
	cr_expect_eq(err.n, 0);
	cr_assert_eq(parse("--config", (char *)"/dev/null"), 0);
	cr_expect_eq(options_again(&opts, &now, &err, check_topology), -EINVAL);
	cr_expect(strstr(err.text[0], "no file") != NULL, "%s", err.text[0]);
}
