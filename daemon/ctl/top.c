/* SPDX-License-Identifier: MIT */
/*
 * A thread asks slabd, so that keys are heard while that takes its time; the other
 * has the terminal.
 *
 *   asks: documents --> news, under the lock --> byte in the pipe --> screen
 *   screen: what is to be asked, under the lock --> condition --> asks
 */
#include "daemon/ctl/top.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/text.h"
#include "daemon/ctl/top_draw.h"

#define ASK_S 120
#define LOG_LIMIT "3"

static struct news {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	const char *socket, *pool;
	int pipe[2];
	/* Of the screen. */
	bool clients; /* the table that is wanted */
	bool now;     /* at once */
	unsigned every_s;
	/* Of who asks. */
	struct ctl_top_docs docs;
	struct ctl_http_fault fault; /* "": they are new */
	bool ever; /* slabd has answered */
} news = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- who asks ------------------------------------------------------------- */

static json_t *ask(const char *path, const char *key, const char *value,
                   struct ctl_http_fault *fault)
{
	const struct ctl_param param[] = {{"pool", news.pool}, {key, value}};
	return ctl_http_ask(news.socket, path, false, param, key ? 2 : 1,
	                            ASK_S, fault);
}

static void drop(struct ctl_top_docs *docs)
{
	json_decref(docs->nodes);
	json_decref(docs->history);
	json_decref(docs->log);
	json_decref(docs->table);
}

/* All of them, or none and why. */
static bool ask_all(bool clients, struct ctl_top_docs *docs,
                    struct ctl_http_fault *fault)
{
	*docs = (struct ctl_top_docs){.clients = clients};
	docs->nodes = ask("/nodes", NULL, NULL, fault);
	if (docs->nodes != NULL)
		docs->table = ask(clients ? "/clients" : "/caches", NULL, NULL,
		                  fault);
	if (docs->table != NULL)
		docs->history = ask("/history", "span", "60", fault);
	if (docs->history != NULL)
		docs->log = ask("/log", "limit", LOG_LIMIT, fault);
	if (docs->log != NULL)
		return true;
	drop(docs);
	return false;
}

/* Under the lock, which is open meanwhile. */
static void take_news(void)
{
	struct ctl_top_docs docs;
	struct ctl_http_fault fault = {.what = ""};
	bool clients = news.clients;
	bool good;
	pthread_mutex_unlock(&news.lock);
	good = ask_all(clients, &docs, &fault);
	pthread_mutex_lock(&news.lock);
	news.fault = fault;
	if (good) {
		drop(&news.docs);
		news.docs = docs;
		news.ever = true;
		news.fault.what[0] = '\0';
	}
}

static void *asks(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news.lock);
	for (;;) {
		struct timespec until;
		take_news();
		/* One that is not read yet tells as much. */
		if (write(news.pipe[1], "", 1) < 0 && errno != EAGAIN)
			break;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += news.every_s;
		while (!news.now && pthread_cond_timedwait(&news.wake,
		                                           &news.lock,
		                                           &until) == 0)
			continue;
		news.now = false;
	}
	pthread_mutex_unlock(&news.lock);
	return NULL;
}

/* ---- the screen ----------------------------------------------------------- */

static attr_t attr_of(int sgr, bool color)
{
	if (sgr == 1)
		return A_BOLD;
	if (sgr == 2)
		return A_DIM;
	if (sgr >= 31 && sgr <= 35)
		return color ? (attr_t)COLOR_PAIR(sgr - 30) : A_BOLD;
	return A_NORMAL;
}

/* As much as there is room for: nothing goes on in the next row. */
static void put_piece(int row, const char *from, const char *to)
{
	char piece[1024];
	unsigned room = (unsigned)(COLS - getcurx(stdscr));
	unsigned taken;
	snprintf(piece, sizeof(piece), "%.*s", (int)(to - from), from);
	if (getcury(stdscr) == row)
		addnstr(piece, (int)ctl_text_cut(piece, room, &taken));
}

/* A line with the sequences of ctl_text_on in it. */
static void put_line(int row, const char *line, size_t len, bool color)
{
	const char *end = line + len;
	move(row, 0);
	attrset(A_NORMAL);
	while (line < end) {
		const char *esc = memchr(line, '\033', (size_t)(end - line));
		const char *to = esc != NULL ? esc : end;
		put_piece(row, line, to);
		if (esc == NULL)
			break;
		line = memchr(esc, 'm', (size_t)(end - esc));
		if (line == NULL)
			break;
		line++;
		attrset(attr_of(atoi(esc + 2), color));
	}
	attrset(A_NORMAL);
}

static void put_text(const char *text, bool color)
{
	erase();
	for (int row = 0; *text && row < LINES; row++) {
		const char *end = strchrnul(text, '\n');
		put_line(row, text, (size_t)(end - text), color);
		text = end + (*end == '\n');
	}
	refresh();
}

/* False where the documents are not what they must be. */
static bool draw(struct ctl_top *top, bool color, bool utf8,
                 struct ctl_http_fault *why)
{
	struct ctl c = {.style = {.color = true,
	                          .utf8 = utf8,
	                          .width = (unsigned)COLS,
	                          .cut = true}};
	time_t now = time(NULL);
	struct tm tm;
	char *text = NULL;
	size_t size = 0;
	localtime_r(&now, &tm);
	strftime(top->clock, sizeof(top->clock), "%H:%M:%S", &tm);
	c.out = open_memstream(&text, &size);
	if (c.out == NULL)
		return false;
	pthread_mutex_lock(&news.lock);
	ctl_text_escape(&c.style, top->waits, sizeof(top->waits),
	                news.fault.what);
	ctl_top_draw(&c, top, &news.docs, (unsigned)LINES);
	pthread_mutex_unlock(&news.lock);
	fclose(c.out);
	if (!c.fault[0])
		put_text(text, color);
	snprintf(why->what, sizeof(why->what),
	         "the answer of slabd can't be read: %s", c.fault);
	free(text);
	return !c.fault[0];
}

static void want(const struct ctl_top *top, bool now)
{
	pthread_mutex_lock(&news.lock);
	now |= news.clients != top->clients;
	news.clients = top->clients;
	news.every_s = top->every_s;
	news.now |= now;
	if (now)
		pthread_cond_signal(&news.wake);
	pthread_mutex_unlock(&news.lock);
}

/* All keys that were typed. False: it is the end. */
static bool take_keys(struct ctl_top *top)
{
	int key;
	while ((key = getch()) != ERR) {
		if (key == 'q' || key == 'Q' || key == 4)
			return false;
		if (!ctl_top_key(top, key) && key == ' ')
			want(top, true);
	}
	want(top, false);
	return true;
}

/* Whether slabd was never there, and isn't. */
static bool never(struct ctl_http_fault *why)
{
	bool never;
	pthread_mutex_lock(&news.lock);
	never = !news.ever && news.fault.what[0];
	if (never)
		*why = news.fault;
	pthread_mutex_unlock(&news.lock);
	return never;
}

static int loop(struct ctl_top *top, bool color, bool utf8,
                struct ctl_http_fault *why)
{
	struct pollfd at[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
	                      {.fd = news.pipe[0], .events = POLLIN}};
	char some[64];
	for (;;) {
		if (never(why) || !draw(top, color, utf8, why))
			return 1;
		/* A resize interrupts it, and is a key. */
		at[0].revents = 0;
		if (poll(at, 2, -1) < 0 && errno != EINTR)
			return 1;
		while (read(news.pipe[0], some, sizeof(some)) > 0)
			continue;
		if (at[0].revents & (POLLHUP | POLLERR | POLLNVAL) ||
		    !take_keys(top))
			return 0;
	}
}

static void init_colors(void)
{
	static const short colors[] = {COLOR_RED, COLOR_GREEN, COLOR_YELLOW,
	                               COLOR_BLUE, COLOR_MAGENTA};
	start_color();
	use_default_colors();
	for (short i = 0; i < 5; i++)
		init_pair((short)(i + 1), colors[i], -1);
}

/* Whether rows can be written in any order. */
static bool can_draw(void)
{
	const char *at;
	if (newterm(NULL, stdout, stdin) == NULL)
		return false;
	at = tigetstr("cup");
	if (at != NULL && at != (const char *)-1)
		return true;
	endwin();
	return false;
}

/* Whether the terminal is one to draw on. */
static bool open_screen(bool *color, struct ctl_http_fault *why)
{
	const char *term = getenv("TERM");
	snprintf(why->remedy, sizeof(why->remedy),
	         "slabctl --watch nodes needs no such terminal");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		snprintf(why->what, sizeof(why->what),
		         "top needs a terminal for its keys and its screen");
	else if (!can_draw())
		snprintf(why->what, sizeof(why->what),
		         "top can't draw on a terminal of the type \"%s\" "
		         "(TERM)", term ? term : "");
	else
		why->remedy[0] = '\0';
	if (why->remedy[0])
		return false;
	*color = *color && has_colors();
	if (*color)
		init_colors();
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	return true;
}

/* Signals are the screen's: they end what it waits for. */
static int start_asking(void)
{
	pthread_condattr_t monotonic;
	pthread_t thread;
	sigset_t all, before;
	int r;
	if (pipe2(news.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&news.wake, &monotonic);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, asks, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_detach(thread);
	return r;
}

int ctl_top_run(const struct ctl_args *args, const char *socket, bool color,
                bool utf8, struct ctl_http_fault *why)
{
	struct ctl_top top = {.sort = "in use",
	                      .every_s = args->watch_s ? args->watch_s
	                                               : CTL_ARGS_WATCH_S};
	int r;
	*why = (struct ctl_http_fault){.what = ""};
	news.socket = socket;
	news.pool = ctl_args_get(args, "pool");
	news.every_s = top.every_s;
	if (!open_screen(&color, why))
		return 1;
	ctl_http_hush();
	r = start_asking();
	if (r != 0)
		snprintf(why->what, sizeof(why->what), "can't start a thread: %s",
		         strerror(r));
	r = r != 0 ? 1 : loop(&top, color, utf8, why);
	endwin();
	return r;
}
