/* SPDX-License-Identifier: MIT */
#include "daemon/manager/lastconf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/conf/file.h"
#include "daemon/manager/fdstore.h"

static int kept = -1; /* what was passed */
static bool recalled;

void lastconf_open(void)
{
	kept = fdstore_take(FDSTORE_CONFIG);
}

int lastconf_recall(struct config *config)
{
	struct config_error err = {.n = 0};
	char path[32];
	if (kept < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
	config_defaults(config);
	if (config_load(config, path, &err) < 0 ||
	    config_check(config, &err) < 0) {
		log_error("the configuration that was kept can't be used: %s",
		          err.text[0]);
		return -ENOENT;
	}
	recalled = true;
	return 0;
}

const char *lastconf_note(void)
{
	return recalled ? "; slabd.conf has errors and is not used, see the log"
	                : "";
}

/* A memory file with the text of a configuration, or -1 with errno. */
static int write_down(const struct config *config)
{
	int fd = memfd_create("slabd.conf", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : dup(fd);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	bool good = out != NULL;
	if (good) {
		config_print(config, out);
		good = !ferror(out);
		good &= fclose(out) == 0;
	} else if (copy >= 0) {
		close(copy);
	}
	if (!good && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void lastconf_keep(const struct config *config)
{
	int fd = write_down(config);
	if (kept >= 0)
		close(kept);
	kept = -1;
	if (fd < 0) {
		log_warn("the configuration is not kept: %s", strerror(errno));
		return;
	}
	fdstore_put(FDSTORE_CONFIG, fd);
	close(fd);
}
