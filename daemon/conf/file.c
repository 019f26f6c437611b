/* SPDX-License-Identifier: MIT */
#include "daemon/conf/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/keys.h"
#include "daemon/conf/read.h"

#define LINE_BYTES_MAX 198u
#define FILES_MAX 65u /* with the drop-ins */
#define PLACE_BYTES 240u
#define SECTIONS "[slabd], [balance] or [pool NAME]"
#define BLANK " \t\r\v\f"

/* Where something stands; file 0: nowhere. */
struct place {
	unsigned file; /* from 1 on, in the order of reading */
	unsigned line;
};

/* One section, where it stands last, and where each key. */
struct section {
	char title[96]; /* with the brackets, for people */
	const struct config_keys *keys;
	void *base;
	struct place at;
	struct place key_at[CONFIG_KEYS_MAX];
};

struct reader {
	struct config *config;
	struct config_error *err;
	const char *path;
	unsigned file;
	unsigned line;
	char names[FILES_MAX][CONFIG_SHOWN_BYTES + 1]; /* for people */
	/* Where keys go; NULL before the first header and after a bad one. */
	struct section *section;
	bool skipping; /* one fault stands for the keys that have no place */
	const struct config_key *key; /* of the last line, NULL: none */
	struct section slabd;
	struct section balance;
	struct section pools[CONFIG_POOLS_MAX];
	unsigned n_pools;
};

#define fault(rd, format, ...)                                                 \
	config_error_add((rd)->err, "%s:%u: " format, (rd)->path, (rd)->line,  \
	                 __VA_ARGS__)

/* ---- sections ----------------------------------------------------------- */

static bool is_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= 63 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
	                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "0123456789._-") == len;
}

/* [slabd] or [balance]. */
static void open_single(struct reader *rd, struct section *section)
{
	if (section->at.file == rd->file) {
		fault(rd, "section %s is there twice, first in line %u; "
		      "allowed: once", section->title, section->at.line);
		return;
	}
	section->at = (struct place){rd->file, rd->line};
	rd->section = section;
}

static void open_pool(struct reader *rd, const char *name)
{
	struct section *section = &rd->pools[rd->n_pools];
	if (!is_name(name)) {
		fault(rd, "pool name \"%.100s\" can't be used; allowed: 1 to "
		      "63 letters, digits, '.', '_' and '-'", name);
		return;
	}
	for (unsigned i = 0; i < rd->n_pools; i++) {
		if (strcmp(rd->config->pools[i].name, name) != 0)
			continue;
		if (rd->pools[i].at.file != rd->file) {
			open_single(rd, &rd->pools[i]);
			return;
		}
		fault(rd, "section [pool %s] contradicts line %u, which has a "
		      "pool of the same name; allowed: each name once",
		      name, rd->pools[i].at.line);
		return;
	}
	if (rd->n_pools == CONFIG_POOLS_MAX) {
		fault(rd, "section [pool %s] is one too many; allowed: %u "
		      "pools", name, CONFIG_POOLS_MAX);
		return;
	}
	section->keys = &config_pool_keys;
	section->base = &rd->config->pools[rd->n_pools++];
	snprintf(section->title, sizeof(section->title), "[pool %s]", name);
	config_default_pool(section->base, name);
	open_single(rd, section);
}

/* A line that starts with '['; text is cut up. */
static void open_section(struct reader *rd, char *text)
{
	char *end = strchr(text, ']');
	char *rest;
	rd->section = NULL;
	rd->key = NULL;
	rd->skipping = true;
	if (end == NULL) {
		fault(rd, "\"%.100s\" lacks its ']'; allowed: " SECTIONS, text);
		return;
	}
	rest = end + 1 + strspn(end + 1, " \t");
	if (*rest != '\0' && *rest != ';' && *rest != '#') {
		fault(rd, "\"%.100s\" follows a section's ']'; allowed: a "
		      "line of its own, or a comment after ';'", rest);
		return;
	}
	*end = '\0';
	text++;
	if (strcmp(text, "slabd") == 0)
		open_single(rd, &rd->slabd);
	else if (strcmp(text, "balance") == 0)
		open_single(rd, &rd->balance);
	else if (strncmp(text, "pool ", 5) == 0)
		open_pool(rd, text + 5 + strspn(text + 5, " \t"));
	else
		fault(rd, "section [%.100s] is unknown; allowed: " SECTIONS,
		      text);
}

/* ---- keys --------------------------------------------------------------- */

static void set_value(struct reader *rd, const char *value)
{
	const struct config_key *key = rd->key;
	const struct section *section = rd->section;
	char why[CONFIG_WHY_BYTES];
	if (value[0] == '\0')
		fault(rd, "key \"%s\" in %s has no value; allowed: %s",
		      key->name, section->title, key->allowed);
	else if (config_key_set(key, section->base, value, why) < 0)
		fault(rd, "key \"%s\" in %s: %s; allowed: %s", key->name,
		      section->title, why, key->allowed);
}

static void read_key(struct reader *rd, const char *name, const char *value)
{
	struct section *section = rd->section;
	char names[256];
	struct place *at;
	if (section == NULL) {
		if (!rd->skipping)
			fault(rd, "key \"%.100s\" stands before any section; "
			      "allowed: " SECTIONS " above it", name);
		rd->skipping = true;
		return;
	}
	rd->key = config_key_find(section->keys, name);
	if (rd->key == NULL) {
		fault(rd, "key \"%.100s\" in %s is unknown; allowed: %s", name,
		      section->title,
		      config_key_names(section->keys, names, sizeof(names)));
		return;
	}
	at = &section->key_at[rd->key - section->keys->row];
	if (at->file != rd->file) {
		/* set adds to a list; what a file before gave goes. */
		if (rd->key->list)
			memset((char *)section->base + rd->key->off, 0,
			       rd->key->bytes);
		*at = (struct place){rd->file, rd->line};
		set_value(rd, value);
		return;
	}
	fault(rd, "key \"%s\" in %s is there twice, first in line %u; "
	      "allowed: once, %s", name, section->title, at->line,
	      rd->key->allowed);
	rd->key = NULL;
}

/* An indented line without a '=' continues the key above it. */
static void go_on(struct reader *rd, const char *text)
{
	if (rd->key->list)
		set_value(rd, text);
	else
		fault(rd, "key \"%s\" in %s can't go on in a second line; "
		      "allowed: %s", rd->key->name, rd->section->title,
		      rd->key->allowed);
}

/* ---- lines -------------------------------------------------------------- */

static void trim(char *text)
{
	size_t len = strlen(text);
	while (len > 0 && strchr(BLANK, text[len - 1]) != NULL)
		text[--len] = '\0';
}

/* A comment begins with a ';' after a blank. */
static void cut_comment(char *text)
{
	for (char *at = text + 1; (at = strchr(at, ';')) != NULL; at++)
		if (strchr(BLANK, at[-1]) != NULL) {
			*at = '\0';
			break;
		}
	trim(text);
}

static void read_text(struct reader *rd, char *line)
{
	char *text = line + strspn(line, BLANK);
	char *end;
	if (*text == '\0' || *text == '#' || *text == ';')
		return;
	if (*text == '[') {
		trim(text);
		open_section(rd, text);
		return;
	}
	cut_comment(text);
	end = text + strcspn(text, "=:");
	if (*end != '\0') {
		*end++ = '\0';
		trim(text);
		read_key(rd, text, end + strspn(end, BLANK));
	} else if (text > line && rd->key != NULL) {
		go_on(rd, text);
	} else {
		fault(rd, "\"%.100s\" is neither a section nor key = value; "
		      "allowed: [slabd], [balance], [pool NAME], key = value, "
		      "and comments after '#' or ';'", text);
	}
}

/* text[bytes] may be written. */
static void read_lines(struct reader *rd, char *text, size_t bytes)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors put it */
	char *end = text + bytes;
	char *next;
	if (bytes >= 3 && memcmp(text, mark, 3) == 0)
		text += 3;
	for (; text < end; text = next + 1) {
		size_t len;
		bool zero;
		next = memchr(text, '\n', (size_t)(end - text));
		next = next != NULL ? next : end;
		*next = '\0';
		len = (size_t)(next - text);
		zero = strlen(text) < len;
		rd->line++;
		if (zero || len > LINE_BYTES_MAX)
			fault(rd, "%s; allowed: text, at most %u bytes a line, "
			      "lists go on in an indented line",
			      zero ? "a zero byte" : "the line is too long",
			      LINE_BYTES_MAX);
		else
			read_text(rd, text);
	}
}

/* ---- what contradicts what ---------------------------------------------- */

static struct place where(const struct section *section, const char *name)
{
	const struct config_key *key = config_key_find(section->keys, name);
	return section->key_at[key - section->keys->row];
}

static bool is_given(const struct section *section, const char *name)
{
	return where(section, name).file > 0;
}

/* "line 12", with the file if it is another one than that of the fault, or "the
 * default". */
static const char *name_place(const struct reader *rd, struct place at,
                              char out[PLACE_BYTES])
{
	if (at.file == 0)
		snprintf(out, PLACE_BYTES, "the default");
	else if (at.file == rd->file)
		snprintf(out, PLACE_BYTES, "line %u", at.line);
	else
		snprintf(out, PLACE_BYTES, "line %u of %s", at.line,
		         rd->names[at.file - 1]);
	return out;
}

static bool is_later(struct place a, struct place b)
{
	return a.file != b.file ? a.file > b.file : a.line > b.line;
}

/* One key against another, put down to the later place; the rest of the text is
 * the format's. Where no file gives either, config_check says it. */
__attribute__((format(printf, 5, 6)))
static void contradict(struct reader *rd, const struct section *section,
                       const char *name, const char *other,
                       const char *format, ...)
{
	struct place at = where(section, name);
	struct place other_at = where(section, other);
	struct place last = is_later(at, other_at) ? at : other_at;
	char text[PLACE_BYTES], other_text[PLACE_BYTES], rest[256];
	va_list args;
	if (last.file == 0)
		return;
	rd->file = last.file;
	rd->line = last.line;
	rd->path = rd->names[last.file - 1];
	va_start(args, format);
	vsnprintf(rest, sizeof(rest), format, args);
	va_end(args);
	fault(rd, "key \"%s\" (%s) contradicts key \"%s\" (%s) in %s: %s",
	      name, name_place(rd, at, text), other,
	      name_place(rd, other_at, other_text), section->title, rest);
}

/* A default gives way to the other key. */
static void check_balance(struct reader *rd)
{
	struct config_balance *balance = &rd->config->balance;
	char hold[CONFIG_VALUE_BYTES];
	if (balance->hold_max_ms >= balance->hold_ms)
		return;
	if (is_given(&rd->balance, "hold_max"))
		contradict(rd, &rd->balance, "hold_max", "hold",
		           "hold_max is under %s; allowed: at least hold",
		           config_value_put(CONFIG_FORM_DURATION, hold,
		                            balance->hold_ms));
	else
		balance->hold_max_ms = balance->hold_ms;
}

static void check_pool(struct reader *rd, const struct section *section)
{
	struct config_pool *pool = section->base;
	uint64_t page = config_page_bytes(pool->page);
	uint64_t max = pool->max_bytes;
	char size[CONFIG_VALUE_BYTES], page_size[CONFIG_VALUE_BYTES];
	if (max == 0)
		return;
	config_value_put(CONFIG_FORM_SIZE, size, max);
	if (max % page != 0)
		contradict(rd, section, "max", "page", "%s is not whole pages; "
		           "allowed: a multiple of %s", size,
		           config_value_put(CONFIG_FORM_SIZE, page_size, page));
	/* UINT64_MAX: not given, or given wrongly, which was said. */
	if (pool->floor_bytes > max && pool->floor_bytes != UINT64_MAX)
		contradict(rd, section, "floor", "max",
		           "floor is over %s; allowed: at most max", size);
	if (pool->start_bytes > max && is_given(section, "start"))
		contradict(rd, section, "start", "max",
		           "start is over %s; allowed: at most max", size);
	else if (pool->start_bytes > max)
		pool->start_bytes = max;
}

static void check_all(struct reader *rd)
{
	struct config *config = rd->config;
	if (rd->n_pools > 0)
		config->n_pools = rd->n_pools;
	if (config->socket[0] != '\0' &&
	    strcmp(config->socket, config->control) == 0)
		contradict(rd, &rd->slabd, "control", "socket",
		           "both are \"%s\"; allowed: two paths",
		           config->socket);
	check_balance(rd);
	for (unsigned i = 0; i < rd->n_pools; i++)
		check_pool(rd, &rd->pools[i]);
	for (unsigned i = 0; i < config->n_pools; i++)
		config->pools[i].balance = config->balance;
}

/* ---- the files ---------------------------------------------------------- */

/* Each file has each section and key once; what it says goes before what was said
 * in files before it. */
static void begin_file(struct reader *rd, const char *path)
{
	strcpy(rd->names[rd->file], config_shown(path));
	rd->path = rd->names[rd->file++];
	rd->line = 0;
	rd->section = NULL;
	rd->skipping = false;
	rd->key = NULL;
}

/* One more. 0, or -1 with its fault. */
static int read_file(void *arg, const char *path)
{
	static char text[CONFIG_FILE_BYTES + 2];
	struct reader *rd = arg;
	ssize_t n;
	if (rd->file == FILES_MAX) {
		config_error_add(rd->err, "%s: one file too many; allowed: %u "
		                 "in FILE.d", config_shown(path), FILES_MAX - 1);
		return -1;
	}
	begin_file(rd, path);
	n = config_read(path, text, rd->err);
	if (n < 0)
		return -1;
	read_lines(rd, text, (size_t)n);
	return 0;
}

/* Without a file there may be a folder of drop-ins. */
static bool is_there(const char *path)
{
	char dir[4096];
	return access(path, F_OK) == 0 || errno != ENOENT ||
	       snprintf(dir, sizeof(dir), "%s.d", path) >= (int)sizeof(dir) ||
	       access(dir, F_OK) < 0;
}

int config_load(struct config *config, const char *path,
                struct config_error *err)
{
	static struct reader rd;
	unsigned before = err->n + err->n_more;
	int r = 0;
	rd = (struct reader){
		.config = config,
		.err = err,
		.slabd = {.title = "[slabd]", .keys = &config_slabd_keys,
		           .base = config},
		.balance = {.title = "[balance]", .keys = &config_balance_keys,
		             .base = &config->balance},
	};
	if (is_there(path))
		r = read_file(&rd, path);
	if (config_each_dropin(path, err, read_file, &rd) < 0)
		r = -1;
	if (r == 0)
		check_all(&rd);
	return err->n + err->n_more > before ? -EINVAL : 0;
}

static void print_section(const struct config_keys *keys, const void *base,
                          FILE *out)
{
	char text[CONFIG_TEXT_BYTES];
	for (unsigned i = 0; i < keys->n; i++) {
		keys->row[i].put(&keys->row[i], base, text);
		if (text[0] != '\0')
			fprintf(out, "%s = %s\n", keys->row[i].name, text);
	}
}

void config_print(const struct config *config, FILE *out)
{
	fprintf(out, "[slabd]\n");
	print_section(&config_slabd_keys, config, out);
	fprintf(out, "\n[balance]\n");
	print_section(&config_balance_keys, &config->balance, out);
	for (unsigned i = 0; i < config->n_pools; i++) {
		fprintf(out, "\n[pool %s]\n", config->pools[i].name);
		print_section(&config_pool_keys, &config->pools[i], out);
	}
}
