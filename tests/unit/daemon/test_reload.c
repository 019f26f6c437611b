/* SPDX-License-Identifier: MIT */
/* SIGHUP: the file is read beside the loop, and applied whole or not at all. */
#include "tests/lib/manager.h"
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/serve/ready.h"
#include "daemon/serve/reload.h"

static struct options options;
static char path[] = "/tmp/slabd-reload-XXXXXX";
static char log_path[sizeof(path) + 4];
static int manager = -1;
static unsigned n_checks; /* readings, as each asks for its topology */
static bool is_held;      /* they wait for the gate */
static sem_t gate;

static int check(const char *topology, char why[OPTIONS_WHY])
{
	(void)topology;
	(void)why;
	n_checks++;
	while (is_held && sem_wait(&gate) < 0)
		continue;
	return 0;
}

static unsigned n_applied;

static void applied(struct server *of)
{
	n_applied += of == &server;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("[slabd]\nsocket = /s\ncontrol = /c\ntopology = node:2 core:1 "
	      "pu:1\n[pool default]\npage = 4k\nstart = 2M\nmax = 8M\n"
	      "max_caches = 8\nmax_clients = 4\n", file);
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void start_manager(void)
{
	char name[64];
	snprintf(name, sizeof(name), "@slabd-reload-%d", getpid());
	manager = manager_bind(name, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void begin(void)
{
	char *line[] = {(char *)"slabd", (char *)"--config", path, NULL};
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	write_file("");
	set_up();
	cr_assert_eq(options_parse(3, line, &options, check), 0);
	first->config = &options.config.pools[0];
	server.config = &options.config;
	cr_assert_eq(ready_open(&server), 0);
	cr_assert_eq(reload_open(&server, &options, check, applied), 0);
	snprintf(log_path, sizeof(log_path), "%s.log", path);
	cr_assert_not_null(freopen(log_path, "w+", stderr));
	n_checks = 0;
	start_manager();
}

static void end(void)
{
	reload_close();
	ready_close();
	tear_down();
	unlink(path);
	unlink(log_path);
}

TestSuite(reload, .init = begin, .fini = end, .timeout = 60);

/* The next message that the manager gets. */
static const char *told(void)
{
	static struct manager_message message;
	while (!manager_receive(manager, &message, MSG_DONTWAIT))
		event_base_loop(server.base, EVLOOP_ONCE);
	return message.text;
}

/* Whether the next one begins so. */
static void tells(const char *text)
{
	const char *is = told();
	cr_expect_eq(strncmp(is, text, strlen(text)), 0, "%s", is);
}

static void hup(void)
{
	raise(SIGHUP);
	tells("RELOADING=1\nMONOTONIC_USEC=");
}

Test(reload, applies_a_file)
{
	write_file("floor = 0\n");
	hup();
	cr_expect_eq(first->config->floor_bytes, UINT64_MAX);
	tells("FDSTORE=1\nFDNAME=slabd.config");
	tells("READY=1\nSTATUS=1 pool on 2 nodes, 4 MiB ready");
	cr_expect_eq(first->config->floor_bytes, 0);
	cr_expect_null(reload_fault());
	cr_expect_eq(n_applied, 1);
}

Test(reload, nothing_new_is_not_kept_anew)
{
	hup();
	tells("READY=1\nSTATUS=1 pool on 2 nodes, 4 MiB ready");
}

Test(reload, refuses_a_file_whole)
{
	unsigned at = 0;
	struct apply_wait wait;
	write_file("floor = 0\nnonsense = 1\n");
	hup();
	tells("READY=1\nSTATUS=1 pool on 2 nodes, 4 MiB ready; slabd.conf has "
	      "errors");
	cr_expect_eq(first->config->floor_bytes, UINT64_MAX);
	cr_assert_not_null(reload_fault());
	cr_expect(strstr(reload_fault(), "nonsense") != NULL, "%s",
	          reload_fault());
	cr_expect_not(reload_next_wait(&at, &wait));
	write_file("");
	hup();
	cr_expect_null(strstr(told(), "errors"));
	cr_expect_null(reload_fault());
}

Test(reload, says_what_waits_until_it_does_not)
{
	unsigned at = 0;
	struct apply_wait wait;
	write_file("[pool more]\n");
	hup();
	tells("READY=1");
	cr_assert(reload_next_wait(&at, &wait));
	cr_expect_str_eq(wait.what, "[pool more]");
	write_file("");
	hup();
	tells("READY=1");
	at = 0;
	cr_expect_not(reload_next_wait(&at, &wait));
}

/* What comes while the file is read is one more reading. */
Test(reload, a_flood_is_one_at_a_time)
{
	sem_init(&gate, 0, 0);
	is_held = true;
	hup();
	for (int i = 0; i < 50; i++) {
		raise(SIGHUP);
		event_base_loop(server.base, EVLOOP_NONBLOCK);
	}
	sem_post(&gate);
	tells("RELOADING=1");
	sem_post(&gate);
	tells("READY=1");
	cr_expect_eq(n_checks, 2);
}

/* One that hangs as slabd ends is left behind. */
Test(reload, an_end_while_the_file_is_read)
{
	sem_init(&gate, 0, 0);
	is_held = true;
	hup();
	reload_close();
	sem_post(&gate);
}

/* ---- as slabctl shows it --------------------------------------------------- */

/* Whether a finding's text has that in it. */
static bool finds(const char *what)
{
	char at[64];
	get("/doctor");
	for (size_t i = 0; i < count("findings"); i++) {
		snprintf(at, sizeof(at), "findings/%zu/what", i);
		if (strstr(str(at), what) != NULL)
			return true;
	}
	return false;
}

Test(reload, documents_have_the_fault)
{
	get("/status");
	has_keys("config", " fault waiting ");
	cr_expect_eq(count("config/waiting"), 0);
	cr_expect_not(finds("has errors"));
	write_file("nonsense = 1\n");
	hup();
	tells("READY=1");
	get("/status");
	cr_expect(strstr(str("config/fault"), "nonsense") != NULL);
	cr_expect(finds("has errors, and slabd goes on with what it ran with "
	                "before: "));
	cr_expect(finds("nonsense"));
}

Test(reload, documents_have_what_waits)
{
	write_file("[slabd]\nwatchdog = off\n[pool more]\n");
	hup();
	cr_expect(strstr(told(), "errors") != NULL, "a section is there twice");
	write_file("[pool more]\n");
	hup();
	tells("READY=1");
	get("/status");
	cr_assert_eq(count("config/waiting"), 1);
	has_keys("config/waiting/0", " what pool configured running ");
	cr_expect_str_eq(str("config/waiting/0/what"), "[pool more]");
	cr_expect_str_eq(str("config/waiting/0/pool"), "new");
	cr_expect(finds("[pool more] is new in slabd.conf, which waits for a "
	                "start of slabd"));
}
