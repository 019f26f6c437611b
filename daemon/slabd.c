/* SPDX-License-Identifier: MIT */
/* slabd: shared memory in slabs, per NUMA node, for many processes. */
#include <signal.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "daemon/service.h"
#include "daemon/supervise.h"

int main(int argc, char **argv)
{
	static struct options options;
	int r = options_parse(argc, argv, &options);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : 2;
	log_setup(options.config.log_level,
	          options.foreground ? LOG_FORM_TERMINAL : LOG_FORM_AUTO);
	service_setup(!options.foreground || options.supervised);
	signal(SIGPIPE, SIG_IGN);
	r = options.supervise ? supervise_run(argv)
	                      : server_run(&options.config, options.supervised);
	log_close();
	return r;
}
