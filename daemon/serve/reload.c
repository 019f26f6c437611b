/* SPDX-License-Identifier: MIT */
#include "daemon/serve/reload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/manager/lastconf.h"
#include "daemon/manager/notify.h"
#include "daemon/serve/fits.h"
#include "daemon/serve/ready.h"
#include "daemon/watch/aside.h"
#include "daemon/watch/wake.h"

static struct reload {
	struct server *server;
	struct options *options;
	options_topology *check;
	void (*applied)(struct server *server);
	struct event *signal;
	struct aside *aside;
	bool runs;
	bool again;         /* there was another signal meanwhile */
	struct config file; /* the last one without a fault */
	bool is_bad;        /* there was one with some since then: the first */
	char fault[CONFIG_ERROR_BYTES];
	/* The thread's as long as it runs. */
	struct config next;
	struct config_error err;
	int r;
} reload;

static void begin(void);

/* ---- what comes of it ------------------------------------------------------ */

static void set_bad(bool is_bad, const char *fault)
{
	reload.is_bad = is_bad;
	snprintf(reload.fault, sizeof(reload.fault), "%s", fault);
	lastconf_set_bad(is_bad);
}

static void refuse(const struct config_error *err)
{
	const char *path = reload.options->path;
	for (unsigned i = 0; i < err->n; i++)
		log_error("%s", err->text[i]);
	if (err->n_more > 0)
		log_error("and %u more", err->n_more);
	/* What came from a pipe is in force, and has no file to repair. */
	if (path[0] == '\0')
		return;
	log_error("SIGHUP: %s is not used, see above: slabd goes on with the "
	          "configuration that it has; repair the file, and send SIGHUP "
	          "again", path);
	set_bad(true, err->text[0]);
}

static void say_waits(void)
{
	struct apply_text restart = {.text = ""};
	struct apply_text anew = {.text = ""};
	bool both;
	apply_waits(reload.server, &reload.options->config, &reload.file,
	            &restart, &anew);
	both = restart.text[0] != '\0' && anew.text[0] != '\0';
	if (restart.text[0] == '\0' && anew.text[0] == '\0')
		return;
	log_warn("SIGHUP: %s%s%s%s%s",
	         restart.text[0] != '\0' ? "waits for a restart of slabd: " : "",
	         restart.text, both ? "; " : "",
	         anew.text[0] != '\0'
	                 ? "waits for a pool made anew, once its clients have "
	                   "ended and slabd was stopped and started: "
	                 : "",
	         anew.text);
}

/* At the level of before, too, as that may be what changed. */
static void say_applied(const struct apply_text *said, enum log_level before)
{
	enum log_level level = reload.options->config.log_level;
	log_set_level(level > before ? level : before);
	if (said->text[0] != '\0')
		log_info("SIGHUP: %s was read again, and holds from now on: %s",
		         reload.options->path, said->text);
	else
		log_info("SIGHUP: %s was read again: nothing that can be "
		         "applied is new", reload.options->path);
	log_set_level(level);
}

static void accept_next(void)
{
	struct apply_text said = {.text = ""};
	struct config *now = &reload.options->config;
	enum log_level before = now->log_level;
	bool changed;
	reload.file = reload.next;
	set_bad(false, "");
	changed = apply_config(reload.server, now, &reload.file, &said);
	say_applied(&said, before);
	say_waits();
	if (!changed)
		return;
	reload.applied(reload.server);
	fits_say(now, reload.server->topo);
	lastconf_keep(now);
}

static void on_read(void *arg)
{
	struct reload *one = arg;
	one->runs = false;
	if (one->r == OPTIONS_E_NO_FILE)
		log_info("SIGHUP: there is no %s, nor files in %s.d: slabd goes "
		         "on with what it has", one->options->path,
		         one->options->path);
	else if (one->r < 0)
		refuse(&one->err);
	else
		accept_next();
	if (one->again)
		begin();
	else
		ready_tell(one->server);
}

/* ---- begun ----------------------------------------------------------------- */

static void read_files(void *arg)
{
	struct reload *one = arg;
	one->r = options_again(one->options, &one->next, &one->err, one->check);
}

static void begin(void)
{
	int r;
	reload.again = false;
	memset(&reload.err, 0, sizeof(reload.err));
	/* Here, as the environment is the loop's to change. */
	config_defaults(&reload.next);
	notify_reloading();
	r = aside_start(reload.aside);
	reload.runs = r == 0;
	if (r == 0)
		return;
	log_error("SIGHUP: the configuration can't be read: %s; slabd goes on "
	          "with the one that it has", strerror(-r));
	ready_tell(reload.server);
}

static void on_hup(UNUSED evutil_socket_t signal, UNUSED short what,
                   UNUSED void *arg)
{
	if (reload.runs)
		reload.again = true;
	else
		begin();
}

int reload_open(struct server *server, struct options *options,
                options_topology *check, void (*applied)(struct server *server))
{
	const struct aside_request want = {.base = server->base,
	                                   .run = read_files,
	                                   .done = on_read,
	                                   .arg = &reload};
	int r;
	reload.server = server;
	reload.options = options;
	reload.check = check;
	reload.applied = applied;
	reload.file = options->config;
	reload.is_bad = options->bad_config;
	r = aside_open(&reload.aside, &want);
	reload.signal = evsignal_new(server->base, SIGHUP, on_hup, NULL);
	if (r == 0 && (reload.signal == NULL ||
	               evsignal_add(reload.signal, NULL) < 0))
		r = -ENOMEM;
	if (r < 0)
		log_error("can't be told to read the configuration again: %s",
		          strerror(-r));
	return r;
}

void reload_close(void)
{
	wake_free(&reload.signal);
	aside_close(reload.aside);
	reload.aside = NULL;
}

/* ---- what others ask ------------------------------------------------------- */

const char *reload_fault(void)
{
	return reload.is_bad ? reload.fault : NULL;
}

bool reload_next_wait(unsigned *at, struct apply_wait *out)
{
	return reload.options != NULL &&
	       apply_next_wait(&reload.options->config, &reload.file, at, out);
}
