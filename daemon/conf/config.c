/* SPDX-License-Identifier: MIT */
#include "daemon/conf/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

uint64_t config_page_bytes(enum config_page page)
{
	return page == CONFIG_PAGE_1G ? GIB : 2 * MIB;
}

void config_error_add(struct config_error *err, const char *format, ...)
{
	char text[CONFIG_ERROR_BYTES];
	va_list args;
	if (err->n == CONFIG_ERRORS_MAX) {
		err->n_more++;
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_escape(err->text[err->n++], CONFIG_ERROR_BYTES, text);
}

/* A ';' after a blank would start a comment in the file that config_print
 * writes, and a blank at the end be lost there: both are refused. */
int config_set_path(char path[CONFIG_PATH_BYTES], const char *value)
{
	size_t len = strlen(value);
	if (value[0] != '/' || value[len - 1] == ' ')
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		if (c < 0x20 || c == 0x7f || c == ';')
			return -EINVAL;
	}
	if (len >= CONFIG_PATH_BYTES)
		return -ENAMETOOLONG;
	memcpy(path, value, len + 1);
	return 0;
}

/* A variable that is set to something; NULL. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The directory of both sockets by default; NULL if there is none. */
static const char *runtime_dir(void)
{
	return geteuid() == 0 ? "/run" : environment("XDG_RUNTIME_DIR");
}

static void default_path(char path[CONFIG_PATH_BYTES], const char *name)
{
	char text[CONFIG_PATH_BYTES + 1];
	const char *dir = runtime_dir();
	if (dir == NULL)
		return;
	/* One that is cut is too long for a path as well. */
	snprintf(text, sizeof(text), "%s/slabd/%s", dir, name);
	config_set_path(path, text);
}

void config_default_balance(struct config_balance *balance)
{
	*balance = (struct config_balance){
		.enabled = true,
		.migrate = true,
		.hold_ms = 1000,
		.hold_max_ms = 60000,
		.lend_keep = 4,
		.lend_max = 32,
		.keep_slabs = 0,
		.migrate_cost = 100,
		.migrate_rate = 64 * MIB,
		.idle_s = 60,
		.remote_wait_ms = 20,
		.pressure_ms = 100,
	};
}

void config_default_pool(struct config_pool *pool, const char *name)
{
	memset(pool, 0, sizeof(*pool));
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->max_percent = 25;
	pool->start_bytes = 16 * MIB;
	pool->floor_bytes = UINT64_MAX;
	config_default_balance(&pool->balance);
	pool->page = CONFIG_PAGE_2M;
	pool->max_caches = 1024;
	pool->max_clients = 1024;
	pool->max_roots = 256;
	pool->max_channels = 64;
	pool->max_channel_capacity = 16384;
	pool->arena_warn_s = 3600;
	pool->arena_warn_bytes = 16 * MIB;
}

void config_defaults(struct config *config)
{
	const char *named = environment("SLABD_SOCKET");
	unsigned mode = geteuid() == 0 ? 0660 : 0600;
	memset(config, 0, sizeof(*config));
	if (named != NULL)
		config_set_path(config->socket, named);
	else
		default_path(config->socket, "slabd.sock");
	default_path(config->control, "control.sock");
	config->socket_mode = mode;
	config->control_mode = mode;
	strcpy(config->metrics, "off");
	config->reserve_hugepages = true;
	config->log_level = LOG_LEVEL_INFO;
	config->watchdog_ms = CONFIG_WATCHDOG_MS;
	config_default_balance(&config->balance);
	config->n_pools = 1;
	config_default_pool(&config->pools[0], "default");
}

/* Says why the environment gave no path. */
static void explain_no_path(struct config_error *err, const char *what,
                            const char *key)
{
	static const char form[] = "an absolute path of at most 107 bytes, "
	                           "without ';'";
	const char *named = environment("SLABD_SOCKET");
	if (strcmp(key, "socket") == 0 && named != NULL)
		config_error_add(err,
		                 "SLABD_SOCKET=\"%.200s\" can't be used; "
		                 "allowed: %s", named, form);
	else if (runtime_dir() == NULL)
		config_error_add(err,
		                 "no path for the %s socket: set "
		                 "XDG_RUNTIME_DIR, or give --%s PATH or key "
		                 "\"%s\" in [slabd]; allowed: %s",
		                 what, key, key, form);
	else
		config_error_add(err,
		                 "XDG_RUNTIME_DIR=\"%.200s\" gives no path for "
		                 "the %s socket; allowed: %s, with the name "
		                 "after it", runtime_dir(), what, form);
}

int config_check(const struct config *config, struct config_error *err)
{
	unsigned before = err->n + err->n_more;
	if (config->socket[0] == '\0')
		explain_no_path(err, "client", "socket");
	if (config->control[0] == '\0')
		explain_no_path(err, "control", "control");
	if (config->socket[0] != '\0' &&
	    strcmp(config->socket, config->control) == 0)
		config_error_add(err,
		                 "the client socket and the control socket "
		                 "are both \"%s\"; allowed: two paths, see "
		                 "--socket and --control", config->socket);
	return err->n + err->n_more > before ? -EINVAL : 0;
}
