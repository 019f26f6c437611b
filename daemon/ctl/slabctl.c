/* SPDX-License-Identifier: MIT */
/* slabctl: asks slabd's admin server, and shows what it says. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/advise.h"
#include "daemon/ctl/args.h"
#include "daemon/ctl/complete.h"
#include "daemon/ctl/http.h"
#include "daemon/ctl/rates.h"
#include "daemon/ctl/save.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"
#include "daemon/ctl/top.h"
#include "daemon/ctl/upgrade.h"

#define EXIT_TROUBLE 1
#define EXIT_USAGE 2
#define WIDTH_DEFAULT 80
#define WIDTH_MIN 40
#define REMOVE_S 5 /* for a cache */
#define WATCH_HEAD 2 /* lines above what is watched */

static unsigned width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	unsigned long w = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
		w = ws.ws_col;
	else if (columns)
		w = strtoul(columns, NULL, 10);
	if (w == 0 || w > 10000)
		w = WIDTH_DEFAULT;
	return w < WIDTH_MIN ? WIDTH_MIN : (unsigned)w;
}

/* Whether the output acts on what is no text. */
static bool is_terminal(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

static bool colored(enum ctl_args_color when)
{
	const char *no = getenv("NO_COLOR");
	if (when != CTL_COLOR_AUTO)
		return when == CTL_COLOR_ALWAYS;
	return is_terminal() && !(no && *no);
}

static bool knows_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* What slabd says may hold names that clients chose. */
static void complain(const char *what, const char *remedy)
{
	const struct ctl_style style = {.utf8 = knows_utf8()};
	char text[2048];
	fprintf(stderr, "slabctl: %s\n",
	        ctl_text_escape(&style, text, sizeof(text), what));
	if (*remedy)
		fprintf(stderr, "slabctl: %s\n",
		        ctl_text_escape(&style, text, sizeof(text), remedy));
}

/* One request for a verb; complaints are made. */
static json_t *ask(const struct ctl_verb *verb, const char *path, bool post,
                   const struct ctl_param *param, size_t n, const char *socket)
{
	struct ctl_http_fault fault;
	json_t *doc = ctl_http_ask(socket, path, post, param, n,
	                           verb->timeout_s, &fault);
	if (!doc)
		complain(fault.what, fault.remedy);
	return doc;
}

/* The file is written here, and the document is what came of it; NULL. */
static json_t *save(json_t *doc, const char *socket)
{
	struct ctl_http_fault fault = {.what = "slabd's socket went away"};
	struct stat st;
	if (stat(socket, &st) == 0 && ctl_save(doc, st.st_uid, &fault) == 0)
		return doc;
	complain(fault.what, fault.remedy);
	json_decref(doc);
	return NULL;
}

/* Another slabd is asked, and the document is what came of it; NULL. */
static json_t *upgrade(json_t *doc, const struct ctl_args *args,
                       const char *socket)
{
	struct ctl_http_fault fault = {.what = "slabd's socket went away"};
	struct stat st;
	if (stat(socket, &st) == 0 &&
	    ctl_upgrade(doc, st.st_uid, args->slabd, CTL_UPGRADE_LIMIT_MS,
	                &fault) == 0)
		return doc;
	complain(fault.what, fault.remedy);
	json_decref(doc);
	return NULL;
}

/* What the replay leaves in a pool: caches that nobody needs. Where that can't be
 * done, they go by themselves as their places are needed. */
static void remove_caches(const struct ctl_args *args, const json_t *doc,
                          const char *socket)
{
	const json_t *all = json_object_get(doc, "caches");
	const char *pool = ctl_args_get(args, "pool");
	bool went = access(socket, W_OK) == 0;
	char name[64];
	for (size_t i = 0; went && i < json_array_size(all); i++) {
		const struct ctl_param param[] = {
			{"action", "remove"},
			{"pool", pool ? pool : "default"},
			{"cache", name},
		};
		struct ctl_http_fault fault;
		json_t *reply;
		ctl_advise_cache(json_array_get(all, i), name);
		reply = ctl_http_ask(socket, "/cache", true, param, 3, REMOVE_S,
		                     &fault);
		went = reply != NULL;
		json_decref(reply);
	}
}

/* By a trace, or of what slabd says; written where that was asked for. */
static json_t *advise(const struct ctl_args *args, const char *socket)
{
	const struct ctl_advise by = {
		.trace = args->trace,
		.pool = ctl_args_get(args, "pool"),
		.max_caches = args->max_caches ? args->max_caches
	                                       : CTL_ADVISE_CACHES,
		.tell = isatty(STDERR_FILENO),
	};
	struct ctl_http_fault fault = {.what = ""};
	json_t *doc;
	if (args->trace)
		doc = ctl_advise_trace(&by, &fault);
	else
		doc = ask(args->verb, "/advise", false, args->param,
		          args->n_params, socket);
	if (doc && args->trace)
		remove_caches(args, doc, socket);
	if (doc && args->write && ctl_advise_write(doc, args->write, &fault) < 0) {
		json_decref(doc);
		doc = NULL;
	}
	if (!doc && *fault.what)
		complain(fault.what, fault.remedy);
	return doc;
}

static json_t *fetch(const struct ctl_args *args, const char *socket)
{
	char path[64];
	json_t *doc;
	if (strcmp(args->verb->name, "advise") == 0)
		return advise(args, socket);
	snprintf(path, sizeof(path), "/%s%s", args->undo ? "un" : "",
	         args->verb->name);
	doc = ask(args->verb, path, args->changes, args->param, args->n_params,
	          socket);
	if (doc && strcmp(args->verb->name, "save") == 0)
		doc = save(doc, socket);
	if (doc && strcmp(args->verb->name, "upgrade") == 0)
		doc = upgrade(doc, args, socket);
	return doc;
}

/* Whether a screen is drawn anew each time. */
static bool is_screen(const struct ctl_args *args)
{
	return args->watch_s && !args->json && is_terminal();
}

/* As much as the window has room for below the headline, so that nothing scrolls
 * away; with a word of what is left out. */
static int show_window(const struct ctl_verb *verb, const json_t *doc,
                       const struct ctl_style *style, char fault[256])
{
	struct winsize ws = {.ws_row = 24};
	unsigned room;
	unsigned lines = 0;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;
	if (!out)
		return -ENOMEM;
	r = ctl_verbs_show(verb, doc, style, out, fault, 256);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
	room = ws.ws_row > WATCH_HEAD + 2 ? ws.ws_row - WATCH_HEAD - 2u : 1;
	for (char *end, *at = text; r == 0 && *at; at = end, lines++) {
		end = strchrnul(at, '\n');
		end += *end == '\n';
		if (lines < room)
			fwrite(at, 1, (size_t)(end - at), stdout);
	}
	if (r == 0 && lines > room)
		printf("%u line%s more: a larger window shows %s",
		       lines - room, lines - room == 1 ? "" : "s",
		       lines - room == 1 ? "it" : "them");
	free(text);
	return r;
}

static int show(const struct ctl_args *args, const struct ctl_verb *verb,
                const json_t *doc)
{
	const struct ctl_style style = {
		.color = colored(args->color),
		.utf8 = knows_utf8(),
		.width = width(),
		.sort = args->sort,
		.reverse = args->reverse,
		.rates = args->watch_s != 0,
		.whole = !isatty(STDOUT_FILENO) && !getenv("COLUMNS"),
	};
	char fault[256];
	int r;
	if (args->json) {
		if (json_dumpf(doc, stdout,
		               (args->watch_s ? JSON_COMPACT : JSON_INDENT(2)) |
		                       JSON_REAL_PRECISION(15)))
			return -1;
		putchar('\n');
		return 0;
	}
	r = is_screen(args) ? show_window(verb, doc, &style, fault)
	                    : ctl_verbs_show(verb, doc, &style, stdout, fault,
	                                     sizeof(fault));
	if (r == 0)
		return 0;
	if (r == -EINVAL) {
		complain(fault, "");
		exit(EXIT_USAGE);
	}
	complain("the answer of slabd can't be read", fault);
	complain(CTL_HTTP_OTHER_VERSION, "");
	return -1;
}

static bool flushed(void)
{
	char what[128] = "can't write the output";
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	if (errno != 0)
		snprintf(what, sizeof(what), "can't write the output: %s",
		         strerror(errno));
	complain(what, "");
	return false;
}

/* rates: NULL, or what the last answers were. The status to exit with; -1: there
 * is no answer, or it can't be shown. */
static int once(const struct ctl_args *args, const char *socket,
                struct ctl_rates *rates)
{
	json_t *doc = fetch(args, socket);
	int status = -1;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (rates)
		ctl_rates_add(rates, args->verb->name, doc,
		              now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	if (!doc)
		return -1;
	if (show(args, args->verb, doc) == 0)
		status = args->verb->verdict ? args->verb->verdict(doc) : 0;
	json_decref(doc);
	return flushed() ? status : -1;
}

static void watch_head(const struct ctl_args *args)
{
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];
	if (!is_screen(args))
		return;
	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("\033[H\033[Jslabctl %s  %s, every %u s\n\n", args->verb->name,
	       clock, args->watch_s);
}

/* A restart of slabd is seen through; that it was never there is not. */
static int watch(const struct ctl_args *args, const char *socket)
{
	struct ctl_rates rates = {.before = NULL};
	bool seen = false;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (;;) {
		watch_head(args);
		if (once(args, socket, &rates) >= 0)
			seen = true;
		else if (!seen || ferror(stdout))
			return EXIT_TROUBLE;
		if (!is_screen(args) && !args->json)
			putchar('\n');
		sleep(args->watch_s);
	}
}

/* One look at a node that is being drained: the bytes left, -1: nobody drains
 * it, INT64_MAX: slabd does not say. */
static int64_t look_drain(const struct ctl_args *args, const char *socket,
                          json_t *began)
{
	struct ctl_param pool = {"pool", ctl_args_get(args, "pool")};
	int64_t node = strtoll(ctl_args_get(args, "node"), NULL, 10);
	json_t *doc = ask(&ctl_verbs_progress, "/nodes", false, &pool, 1,
	                  socket);
	int64_t left = INT64_MAX;
	if (!doc)
		return left;
	left = ctl_drain_left(doc, node, began);
	watch_head(args);
	show(args, &ctl_verbs_progress, doc);
	json_decref(doc);
	if (!is_screen(args) && !args->json)
		putchar('\n');
	return left;
}

/* Until nothing is left, or nobody drains the node any more; a restart of slabd
 * is seen through. */
static int watch_drain(const struct ctl_args *args, const char *socket)
{
	json_t *began = json_object();
	int64_t left = look_drain(args, socket, began);
	while (left > 0 && flushed()) {
		sleep(args->watch_s);
		left = look_drain(args, socket, began);
	}
	json_decref(began);
	if (left < 0)
		complain("the node is no longer drained",
		         "somebody ended it: see the log of slabd");
	return flushed() && left == 0 ? 0 : EXIT_TROUBLE;
}

static int top(const struct ctl_args *args, const char *socket)
{
	struct ctl_http_fault why;
	int status = ctl_top_run(args, socket, colored(args->color),
	                         knows_utf8(), &why);
	if (status != 0)
		complain(why.what, why.remedy);
	return status;
}

static int run(const struct ctl_args *args, const char *socket)
{
	int status;
	if (!args->verb->show)
		return top(args, socket);
	if (args->watch_s && strcmp(args->verb->name, "drain") != 0)
		return watch(args, socket);
	status = once(args, socket, NULL);
	if (status < 0)
		return EXIT_TROUBLE;
	return status == 0 && args->watch_s ? watch_drain(args, socket)
	                                    : status;
}

/* What was closed stays so for us: no socket of ours takes its place. A limit of
 * a file's size is an error like others. */
static void set_right(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/", O_PATH | O_DIRECTORY) < 0)
			exit(EXIT_TROUBLE);
	signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct ctl_args args;
	char socket[512];
	int r;
	set_right();
	setlocale(LC_ALL, "");
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		ctl_complete(argc - 2, argv + 2, stdout);
		return flushed() ? 0 : EXIT_TROUBLE;
	}
	if (ctl_args_parse(&args, argc, argv) < 0) {
		complain(args.fault, "");
		return EXIT_USAGE;
	}
	if (args.help)
		ctl_args_usage(stdout);
	else if (args.version)
		puts("slabctl " PACKAGE_VERSION);
	if (args.help || args.version)
		return flushed() ? 0 : EXIT_TROUBLE;
	r = ctl_args_control(args.control, geteuid() == 0, socket,
	                     sizeof(socket));
	if (r < 0 && args.trace)
		*socket = '\0'; /* a trace needs none */
	else if (r < 0) {
		complain("the path of the socket is too long",
		         "give it with --control PATH or SLABD_CONTROL");
		return EXIT_TROUBLE;
	}
	return run(&args, socket);
}
