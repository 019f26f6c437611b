/* SPDX-License-Identifier: MIT */
/* slabd: shared memory in slabs, per NUMA node, for many processes. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "daemon/service.h"
#include "daemon/supervise.h"

/* In place of a standard stream that is closed slabd would open some file of
 * its own, a pool's even, and write its log into it. */
static void fill_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return;
}

int main(int argc, char **argv)
{
	static struct options options;
	int r = options_parse(argc, argv, &options);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : 2;
	fill_streams();
	log_setup(options.config.log_level,
	          options.foreground ? LOG_FORM_TERMINAL : LOG_FORM_AUTO);
	service_setup(!options.foreground || options.supervised);
	signal(SIGPIPE, SIG_IGN);
	r = options.supervise ? supervise_run(argv)
	                      : server_run(&options.config, options.supervised);
	log_close();
	return r;
}
