/* SPDX-License-Identifier: MIT */
#include "daemon/conf/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log_out.h"
#include "daemon/conf/value.h"

#define TRY_HELP "Try \"slabd --help\".\n"

enum option_key {
	OPT_CONFIG, OPT_SOCKET, OPT_CONTROL, OPT_LOG_LEVEL, OPT_FOREGROUND,
	OPT_SUPERVISE, OPT_SUPERVISED, OPT_CHECK_CONFIG, OPT_TAKES_OVER,
	OPT_HELP, OPT_VERSION, OPTIONS,
};

_Static_assert(OPT_HELP == OPTIONS_GIVEN, "what options_again goes by");

static const struct option table[OPTIONS + 1] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"supervise", no_argument, NULL, OPT_SUPERVISE},
	{"supervised", no_argument, NULL, OPT_SUPERVISED},
	{"check-config", no_argument, NULL, OPT_CHECK_CONFIG},
	{"takes-over", no_argument, NULL, OPT_TAKES_OVER},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
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
	       "  --takes-over       for slabctl upgrade: say whether it would "
	       "take over\n"
	       "                     what a running slabd has, and exit\n"
	       "  --log-level LEVEL  error, warn, info or debug\n"
	       "  --help             print this and exit\n"
	       "  --version          print the version and exit\n"
	       "\n"
	       "Exit status: 0 stopped on request, 1 could not run, 2 usage or "
	       "configuration.\n"
	       "See slabd(8) and slabd.conf(5).\n",
	       SLABD_CONFIG_FILE);
}

static int starts_nothing(const char *option, const char *other)
{
	fprintf(stderr, "slabd: %s starts nothing, and does not go with %s; "
	        "leave one of them out\n" TRY_HELP, option, other);
	return -EINVAL;
}

/* Fills in what the command line says, before it meets the file: the arguments
 * of options, the last of each, and "" for one that takes none. 1: help or
 * version, which end the line, was printed. */
static int read_line(int argc, char **argv, const char *given[])
{
	static char supervised[] = "--supervised";
	static char program[] = "slabd";
	char *name = argv[0];
	int key;
	optind = 0; /* also forget where an earlier call stopped */
	argv[0] = program;
	while ((key = getopt_long(argc, argv, "", table, NULL)) >= 0 &&
	       key < OPT_HELP) {
		given[key] = optarg != NULL ? optarg : "";
		if (key == OPT_SUPERVISE)
			argv[optind - 1] = supervised;
	}
	argv[0] = name;
	if (key == OPT_HELP)
		print_help();
	else if (key == OPT_VERSION)
		printf("slabd %s\n", PACKAGE_VERSION);
	else if (key >= OPTIONS) /* getopt_long has named the option */
		fputs(TRY_HELP, stderr);
	if (key >= 0)
		return key < OPTIONS ? 1 : -EINVAL;
	if (optind < argc) {
		char text[256];
		fprintf(stderr, "slabd: \"%s\" is not an option, and slabd "
		        "takes no other arguments\n" TRY_HELP,
		        log_escape(text, sizeof(text), argv[optind]));
		return -EINVAL;
	}
	if (given[OPT_SUPERVISE] && given[OPT_CHECK_CONFIG])
		return starts_nothing("--check-config", "--supervise");
	if (given[OPT_SUPERVISE] && given[OPT_TAKES_OVER])
		return starts_nothing("--takes-over", "--supervise");
	if (given[OPT_CHECK_CONFIG] && given[OPT_TAKES_OVER])
		return starts_nothing("--takes-over", "--check-config");
	return 0;
}

static void override_path(char path[CONFIG_PATH_BYTES], const char *option,
                          const char *value, struct config_error *err)
{
	if (value != NULL && config_set_path(path, value) < 0)
		config_error_add(err, "%s \"%.200s\" can't be used; allowed: "
		                 "an absolute path of at most 107 bytes, "
		                 "without ';'", option, value);
}

static void override(struct config *config, const char *const given[],
                     struct config_error *err)
{
	const char *text = given[OPT_LOG_LEVEL];
	uint64_t level = config->log_level;
	override_path(config->socket, "--socket", given[OPT_SOCKET], err);
	override_path(config->control, "--control", given[OPT_CONTROL],
	              err);
	if (text != NULL &&
	    config_value_read(CONFIG_FORM_LEVEL, text, &level) < 0)
		config_error_add(err, "--log-level \"%.100s\" is not a level; "
		                 "allowed: error, warn, info or debug", text);
	config->log_level = (enum log_level)level;
}

/* The default file counts as there unless it is known not to be: one that
 * slabd may not read is an error, no reason to run on defaults. */
static const char *pick_file(const char *const given[])
{
	if (given[OPT_CONFIG] != NULL)
		return given[OPT_CONFIG];
	if (access(SLABD_CONFIG_FILE, F_OK) == 0)
		return SLABD_CONFIG_FILE;
	if (errno != ENOENT && errno != ENOTDIR)
		return SLABD_CONFIG_FILE;
	return access(SLABD_CONFIG_FILE ".d", F_OK) == 0 ? SLABD_CONFIG_FILE
	                                                 : NULL;
}

/* slabd leaves the folder that it is started in. */
static void note_path(struct options *opts)
{
	const char *file = opts->file != NULL ? opts->file : SLABD_CONFIG_FILE;
	char dir[sizeof(opts->path)] = "";
	struct stat st;
	int n;
	if (file[0] != '/' && getcwd(dir, sizeof(dir)) == NULL)
		return;
	n = snprintf(opts->path, sizeof(opts->path), "%s%s%s", dir,
	             file[0] != '/' ? "/" : "", file);
	if (n >= (int)sizeof(opts->path) ||
	    (stat(file, &st) == 0 && !S_ISREG(st.st_mode)))
		opts->path[0] = '\0';
}

/* 1: what was asked for is done. */
static int end_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 1;
	fprintf(stderr, "slabd: standard output: %s\n", strerror(errno));
	return -EINVAL;
}

/* As a line of the log, which is not set up yet: nobody may read it. */
__attribute__((format(printf, 1, 2)))
static void complain(const char *format, ...)
{
	char line[CONFIG_ERROR_BYTES + 16];
	va_list args;
	int n;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	log_out(line, (size_t)n, 1);
}

/* On top of the defaults. */
static void load(struct config *config, const char *const given[],
                 const char *file, options_topology *check,
                 struct config_error *err)
{
	char why[OPTIONS_WHY];
	if (file != NULL)
		config_load(config, file, err);
	override(config, given, err);
	if (err->n == 0)
		config_check(config, err);
	if (err->n == 0 && config->topology[0] != '\0' &&
	    check(config->topology, why) < 0)
		config_error_add(err, "%.200s: key \"topology\" in [slabd]: %s",
		                 file, why);
}

int options_parse(int argc, char **argv, struct options *opts,
                  options_topology *check)
{
	struct config_error *err = &opts->errors;
	const char **given = opts->given;
	int r;
	memset(opts, 0, sizeof(*opts));
	r = read_line(argc, argv, given);
	opts->foreground = given[OPT_FOREGROUND] != NULL;
	opts->supervise = given[OPT_SUPERVISE] != NULL;
	opts->supervised = given[OPT_SUPERVISED] != NULL;
	opts->check_config = given[OPT_CHECK_CONFIG] != NULL;
	opts->takes_over = given[OPT_TAKES_OVER] != NULL;
	opts->file_given = given[OPT_CONFIG] != NULL;
	if (r != 0)
		return r < 0 ? r : end_output();
	opts->file = pick_file(given);
	note_path(opts);
	config_defaults(&opts->config);
	load(&opts->config, given, opts->file, check, err);
	if (err->n > 0) {
		for (unsigned i = 0; i < err->n; i++)
			complain("slabd: %s\n", err->text[i]);
		if (err->n_more > 0)
			complain("slabd: and %u more\n", err->n_more);
		opts->bad_config = !opts->check_config && !opts->supervise;
		return -EINVAL;
	}
	if (!opts->check_config)
		return 0;
	config_print(&opts->config, stdout);
	return end_output();
}

/* Where slabd was started without one there may be one by now; one that it was
 * started with must be there. */
int options_again(const struct options *opts, struct config *out,
                  struct config_error *err, options_topology *check)
{
	const char *file = opts->path;
	if (opts->file == NULL && pick_file(opts->given) == NULL)
		return OPTIONS_E_NO_FILE;
	if (file[0] == '\0')
		config_error_add(err, "the configuration came from what is no "
		                 "file, or has too long a path, and can't be "
		                 "read again; restart slabd, with --config FILE");
	else
		load(out, opts->given, file, check, err);
	return err->n > 0 ? -EINVAL : 0;
}
