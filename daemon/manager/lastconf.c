/* SPDX-License-Identifier: MIT */
#include "daemon/manager/lastconf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/conf/changes.h"
#include "daemon/manager/fdstore.h"

static int kept = -1; /* what was passed; then, what is kept */
static bool bad; /* slabd.conf has errors */

void lastconf_open(void)
{
	kept = fdstore_take(FDSTORE_CONFIG);
}

/* 0, or -ENOENT. */
static int load(struct config *config)
{
	struct config_error err = {.n = 0};
	char path[32];
	if (kept < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
	config_defaults(config);
	if (config_load(config, path, &err) == 0 &&
	    config_check(config, &err) == 0)
		return 0;
	log_error("the configuration that was kept can't be used: %s",
	          err.text[0]);
	return -ENOENT;
}

int lastconf_recall(struct config *config)
{
	int r = load(config);
	bad |= r == 0;
	return r;
}

bool lastconf_pool(const char *name, struct config_pool *out)
{
	static struct config config;
	const struct config_pool *pool =
		load(&config) == 0 ? config_find_pool(&config, name) : NULL;
	if (pool != NULL)
		*out = *pool;
	return pool != NULL;
}

void lastconf_set_bad(bool is)
{
	bad = is;
}

int lastconf_fd(void)
{
	return kept;
}

const char *lastconf_note(void)
{
	return bad ? "; slabd.conf has errors and is not used, see the log"
	                : "";
}

void lastconf_keep(const struct config *config)
{
	FILE *out;
	int fd;
	if (kept >= 0)
		close(kept);
	kept = -1;
	fd = memfd_create("slabd.conf", MFD_CLOEXEC);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out != NULL)
		config_print(config, out);
	if (out != NULL && fflush(out) == 0 && !ferror(out)) {
		fdstore_put(FDSTORE_CONFIG, fd);
		kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	} else {
		log_warn("the configuration is not kept: %s", strerror(errno));
	}
	if (out != NULL)
		fclose(out);
	else if (fd >= 0)
		close(fd);
}
