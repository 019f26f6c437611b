/* SPDX-License-Identifier: MIT */
#include "daemon/conf/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/topo.h"

#define TRY_HELP "Try \"slabd --help\".\n"

enum option_key {
	OPT_CONFIG = 256,
	OPT_FOREGROUND,
	OPT_SOCKET,
	OPT_CONTROL,
	OPT_SUPERVISE,
	OPT_SUPERVISED,
	OPT_CHECK_CONFIG,
	OPT_LOG_LEVEL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option table[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "supervise", no_argument, NULL, OPT_SUPERVISE },
	{ "supervised", no_argument, NULL, OPT_SUPERVISED },
	{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says, before it meets the file. */
struct given {
	const char *socket;
	const char *control;
	const char *log_level;
	const char *config;
	bool done; /* help or version was printed */
};

static void print_help(void)
{
	printf("Usage: slabd [OPTION]...\n"
	       "Serves shared slabs of NUMA-local memory to processes that "
	       "use libslabclient.\n"
	       "\n"
	       "  --config FILE      read FILE; default: %s if it\n"
	       "                     is there, else the embedded default\n"
	       "  --check-config     print the configuration as it would be "
	       "used, and exit\n"
	       "  --socket PATH      socket for clients\n"
	       "  --control PATH     socket for slabctl and curl\n"
	       "  --foreground       log for a terminal, expect no service "
	       "manager\n"
	       "  --supervise        start slabd, and start it again when it "
	       "dies\n"
	       "  --log-level LEVEL  error, warn, info or debug\n"
	       "  --help             print this and exit\n"
	       "  --version          print the version and exit\n"
	       "\n"
	       "Exit status: 0 stopped on request, 1 could not run, 2 usage or "
	       "configuration.\n"
	       "See slabd(8) and slabd.conf(5).\n",
	       SLABD_CONFIG_FILE);
}

static int read_option(int key, struct given *given, struct options *opts)
{
	switch (key) {
	case OPT_CONFIG:
		given->config = optarg;
		return 0;
	case OPT_SOCKET:
		given->socket = optarg;
		return 0;
	case OPT_CONTROL:
		given->control = optarg;
		return 0;
	case OPT_LOG_LEVEL:
		given->log_level = optarg;
		return 0;
	case OPT_FOREGROUND:
		opts->foreground = true;
		return 0;
	case OPT_SUPERVISE:
		opts->supervise = true;
		return 0;
	case OPT_SUPERVISED:
		opts->supervised = true;
		return 0;
	case OPT_CHECK_CONFIG:
		opts->check_config = true;
		return 0;
	case OPT_HELP:
		print_help();
		given->done = true;
		return 0;
	case OPT_VERSION:
		printf("slabd %s\n", PACKAGE_VERSION);
		given->done = true;
		return 0;
	default: /* getopt_long has named the option */
		fputs(TRY_HELP, stderr);
		return -EINVAL;
	}
}

static int read_line(int argc, char **argv, struct given *given,
                     struct options *opts)
{
	static char supervised[] = "--supervised";
	static char program[] = "slabd";
	char *name = argv[0];
	int rc = 0;
	int key;

	optind = 0; /* also forget where an earlier call stopped */
	argv[0] = program;
	while (rc == 0 && !given->done &&
	       (key = getopt_long(argc, argv, "", table, NULL)) != -1) {
		rc = read_option(key, given, opts);
		if (key == OPT_SUPERVISE)
			argv[optind - 1] = supervised;
	}
	argv[0] = name;
	if (rc == 0 && !given->done && optind < argc) {
		char text[256];
		fprintf(stderr, "slabd: \"%s\" is not an option, and slabd "
		        "takes no other arguments\n" TRY_HELP,
		        log_escape(text, sizeof(text), argv[optind]));
		return -EINVAL;
	}
	if (rc == 0 && !given->done && opts->supervise && opts->check_config) {
		fputs("slabd: --check-config starts nothing that --supervise "
		      "could look after; leave one of them out\n" TRY_HELP,
		      stderr);
		return -EINVAL;
	}
	return rc;
}

static void override_path(char path[CONFIG_PATH_BYTES], const char *option,
                          const char *value, struct config_error *err)
{
	if (value != NULL && config_set_path(path, value) < 0)
		config_error_add(err, "%s \"%.200s\" can't be used; allowed: "
		                 "an absolute path of at most 107 bytes, "
		                 "without ';'", option, value);
}

static void override(struct config *config, const struct given *given,
                     struct config_error *err)
{
	override_path(config->socket, "--socket", given->socket, err);
	override_path(config->control, "--control", given->control, err);
	if (given->log_level != NULL &&
	    log_level_parse(given->log_level, &config->log_level) < 0)
		config_error_add(err, "--log-level \"%.100s\" is not a level; "
		                 "allowed: error, warn, info or debug",
		                 given->log_level);
}

/* hwloc alone knows what a description is. What is wrong with the machine's own
 * topology is no fault of the configuration. */
static void check_topology(const struct config *config, const char *file,
                           struct config_error *err)
{
	static struct topo topo;

	if (config->topology[0] == '\0' ||
	    topo_load(&topo, config->topology) >= 0)
		return;
	config_error_add(err, "%.200s: key \"topology\" in [slabd]: %s; "
	                 "allowed: a description such as node:2 core:4 pu:1, "
	                 "of at most %u nodes", file, topo.error,
	                 TOPO_NODES_MAX);
}

static void print_errors(const struct config_error *err)
{
	for (unsigned i = 0; i < err->n; i++)
		fprintf(stderr, "slabd: %s\n", err->text[i]);
	if (err->n_more > 0)
		fprintf(stderr, "slabd: and %u more\n", err->n_more);
}

/* The default file counts as there unless it is known not to be: one that
 * slabd may not read is an error, no reason to run on defaults. */
static const char *pick_file(const struct given *given)
{
	if (given->config != NULL)
		return given->config;
	if (access(SLABD_CONFIG_FILE, F_OK) == 0)
		return SLABD_CONFIG_FILE;
	return errno == ENOENT || errno == ENOTDIR ? NULL : SLABD_CONFIG_FILE;
}

/* 1: what was asked for is done. */
static int end_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 1;
	fprintf(stderr, "slabd: standard output: %s\n", strerror(errno));
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *opts)
{
	struct config_error err = { 0 };
	struct given given = { 0 };
	int rc;

	memset(opts, 0, sizeof(*opts));
	rc = read_line(argc, argv, &given, opts);
	if (rc < 0 || given.done)
		return rc < 0 ? rc : end_output();
	config_defaults(&opts->config);
	opts->file = pick_file(&given);
	if (opts->file != NULL)
		config_load(&opts->config, opts->file, &err);
	override(&opts->config, &given, &err);
	if (err.n == 0)
		config_check(&opts->config, &err);
	if (err.n == 0)
		check_topology(&opts->config, opts->file, &err);
	if (err.n > 0) {
		print_errors(&err);
		opts->bad_config = !opts->check_config && !opts->supervise;
		return -EINVAL;
	}
	if (!opts->check_config)
		return 0;
	config_print(&opts->config, stdout);
	return end_output();
}
