/* SPDX-License-Identifier: MIT */
/* slabd: shared memory in slabs, per NUMA node, for many processes. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/admin/http.h"
#include "daemon/admin/reports.h"
#include "daemon/base/clock.h"
#include "daemon/base/inherit.h"
#include "daemon/base/log.h"
#include "daemon/conf/options.h"
#include "daemon/manager/fdstore.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/manager/supervise.h"
#include "daemon/manager/supervise_end.h"
#include "daemon/pool/takeover.h"
#include "daemon/serve/fits.h"
#include "daemon/serve/guardian.h"
#include "daemon/serve/loop.h"
#include "daemon/serve/loopback.h"
#include "daemon/serve/reload.h"
#include "numa/topo.h"

static enum log_form log_form(const struct options *options)
{
	return options->foreground ? LOG_FORM_TERMINAL : LOG_FORM_AUTO;
}

/* hwloc alone knows what a description is. What is wrong with the machine's own
 * topology is no fault of the configuration. */
static int check_topology(const char *topology, char why[OPTIONS_WHY])
{
	static struct topo topo;
	if (topo_load(&topo, topology) >= 0)
		return 0;
	snprintf(why, OPTIONS_WHY,
	         "%s; allowed: a description such as node:2 core:4 pu:1, of "
	         "at most %u nodes", topo.error, TOPO_NODES_MAX);
	return -EINVAL;
}

/* Of --check-config. What a topology lacks that can't be read is said at the
 * start. */
static void warn_of_lacks(const struct config *config)
{
	static struct topo topo;
	struct fits_lacks lacks = {.n = 0};
	if (topo_load(&topo, config->topology[0] ? config->topology : NULL) < 0)
		return;
	fits_look(config, &topo, &lacks);
	for (unsigned i = 0; i < lacks.n; i++)
		fprintf(stderr, "slabd: warning: %s; %s\n", lacks.lack[i].what,
		        lacks.lack[i].todo);
}

/* To end now would have all that is kept dropped, which clients still use. */
static int run_with_last(struct options *options)
{
	if (lastconf_recall(&options->config) < 0)
		return -EINVAL;
	log_setup(options->config.log_level, log_form(options));
	log_error("%s is not used, see above: slabd goes on with the "
	          "configuration that it ran with before; repair the file and "
	          "reload slabd", options->file);
	return 0;
}

/* Where metrics are to be had, if anywhere. */
static struct metrics {
	struct admin *admin; /* NULL: nobody asks for any, or why not was logged */
	int fd;
	char at[sizeof(((struct config *)0)->metrics)];
} metrics = {.fd = -1};

static void stop_metrics(void)
{
	admin_stop(metrics.admin);
	metrics.admin = NULL;
	if (metrics.fd >= 0)
		close(metrics.fd);
	metrics.fd = -1;
}

/* Without them slabd goes on. At the start, and as the configuration changed. */
static void follow_metrics(struct server *server)
{
	static struct admin_routes routes;
	const char *at = server->config->metrics;
	int r;
	if (strcmp(metrics.at, at) == 0)
		return;
	strcpy(metrics.at, at);
	stop_metrics();
	if (strcasecmp(at, "off") == 0)
		return;
	metrics.fd = loopback_listen(at);
	if (metrics.fd < 0)
		return;
	report_public_routes(server, &routes);
	r = admin_start(&metrics.admin, server->base, metrics.fd, &routes);
	if (r < 0)
		log_error("nobody gets metrics: %s", strerror(-r));
}

static int serve(struct options *options)
{
	static char program[PATH_MAX];
	static struct admin_routes routes;
	struct server *server;
	struct admin *admin = NULL;
	int in_use;
	int r;
	inherit_no_children();
	inherit_say_named();
	/* Nothing is looked for there any more, and it may be unmounted. */
	if (chdir("/") < 0)
		log_debug("can't leave the current folder: %s",
		          strerror(errno));
	if (fdstore_open() < 0)
		return EXIT_FAILURE;
	lastconf_open();
	if (options->bad_config && run_with_last(options) < 0)
		return 2;
	r = in_use = loop_open(&server, &options->config,
	                       options->supervised);
	server->file = options->path[0] != '\0' ? options->path : NULL;
	server->file_given = options->file_given;
	server->program = supervise_program(program) < 0 ? NULL : program;
	if (r == 0)
		r = reload_open(server, options, check_topology, follow_metrics);
	if (r == 0) {
		report_routes(server, &routes);
		r = admin_start(&admin, server->base, server->control.fd,
		                &routes);
		if (r < 0)
			log_error("can't start the event loop: %s",
			          strerror(-r));
		server->control.hush = r < 0 ? NULL : admin_hush;
		server->control.arg = admin;
	}
	if (r == 0) {
		follow_metrics(server);
		r = loop_run(server);
	}
	server->control.hush = NULL;
	stop_metrics();
	admin_stop(admin);
	reload_close();
	loop_close(server);
	/* Another slabd lives there: the next start would find it, too. */
	if (in_use == -EADDRINUSE && options->supervised)
		return 2;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Of --takes-over. What a service manager would pass is in the environment, and
 * is only looked at; nobody is told of it. */
static int say_takes_over(struct options *options)
{
	static struct takeover pools[CONFIG_POOLS_MAX];
	static struct topo topo;
	struct report_start start = {.file = options->file,
	                             .errors = &options->errors};
	const char *topology = options->config.topology;
	int r;
	unsetenv("NOTIFY_SOCKET");
	r = fdstore_open();
	lastconf_open();
	if (r < 0)
		remedy_set(&start.lack, r, "", "what was passed can't be read");
	else if (options->bad_config && lastconf_recall(&options->config) < 0)
		r = remedy_set(&start.lack, -EINVAL, "repair the file",
		               "the configuration has errors, and none that "
		               "slabd ran with before is kept");
	else if (topo_load(&topo, topology[0] ? topology : NULL) < 0)
		r = remedy_set(&start.lack, -EINVAL, "", "%s", topo.error);
	if (r == 0)
		start.n = takeover_look(&options->config, &topo, pools);
	return report_takes_over(stdout, &start, pools) < 0 ? EXIT_FAILURE
	                                                    : EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
	static struct options options;
	int r;
	if (inherit_reset() < 0)
		return EXIT_FAILURE;
	guardian_line(argv);
	r = options_parse(argc, argv, &options, check_topology);
	if (r > 0 && options.check_config)
		warn_of_lacks(&options.config);
	if (r > 0)
		return EXIT_SUCCESS;
	if (r < 0 && !options.bad_config)
		return 2;
	log_setup(r < 0 ? LOG_LEVEL_INFO : options.config.log_level,
	          log_form(&options));
	if (options.takes_over)
		return say_takes_over(&options);
	notify_setup(!options.foreground || options.supervised);
	inherit_say_reset();
	if (options.supervise)
		r = supervise_run(argv, (options.bad_config
		                                 ? CONFIG_WATCHDOG_MS
		                                 : options.config.watchdog_ms) *
		                                CLOCK_MS,
		                  options.bad_config ? ""
		                                     : options.config.control);
	else
		r = serve(&options);
	return r;
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);
	/* What is wrong with the command line may wait there, too. */
	log_close();
	return status;
}
