/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, read with inih.
 *
 * inih as distributions build it tells its handler neither the line nor of an
 * empty section, and cuts section names at 49 bytes. So next_line counts the
 * lines, handles the section headers and gives inih one "key = value" at a
 * time; a line that inih then does not hand to on_key is a fault of form.
 */
#include <errno.h>
#include <ini.h>
#include <string.h>

#include "daemon/conf/config.h"
#include "daemon/conf/keys.h"

#define FILE_BYTES_MAX (1u << 20) /* nobody configures that much */
#define LINE_BYTES_MAX 198        /* what inih's buffer takes */
#define SECTIONS "[slabd], [balance] or [pool NAME]"
#define SHOWN_PATH_BYTES 200u     /* of the file's name in a fault */

/* One section of the file, and the line of each key: 0, not given. */
struct section {
	char title[96]; /* with the brackets, for people */
	const struct config_key *keys;
	unsigned n_keys;
	void *base;
	unsigned line;
	unsigned key_lines[CONFIG_KEYS_MAX];
};

struct loader {
	struct config *config;
	struct config_error *err;
	const char *path;
	FILE *in;
	unsigned line;
	unsigned n_bytes;
	bool pending; /* inih has a line that on_key has not seen yet */
	bool go_on;   /* that line continues the one before */
	char raw[LINE_BYTES_MAX + 2];
	/* Where keys go; NULL before the first header and after a bad one. */
	struct section *section;
	bool skipping; /* one fault stands for the keys that have no place */
	const struct config_key *key; /* of the last line, NULL: none */
	struct section slabd;
	struct section balance;
	struct section pools[CONFIG_POOLS_MAX];
	unsigned n_pools;
};

#define fault(ld, format, ...)                                                 \
	config_error_add((ld)->err, "%s:%u: " format, (ld)->path, (ld)->line,  \
	                 __VA_ARGS__)

/* ---- sections ----------------------------------------------------------- */

static bool is_name(const char *name, size_t len)
{
	if (len == 0 || len > 63)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
	                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "0123456789._-") >= len;
}

/* [slabd] or [balance]. */
static void open_single(struct loader *ld, struct section *section)
{
	if (section->line != 0) {
		fault(ld, "section %s is there twice, first in line %u; "
		      "allowed: once", section->title, section->line);
		return;
	}
	section->line = ld->line;
	ld->section = section;
}

static void open_pool(struct loader *ld, const char *name)
{
	struct section *section;

	if (!is_name(name, strlen(name))) {
		fault(ld, "pool name \"%.100s\" can't be used; allowed: 1 to "
		      "63 letters, digits, '.', '_' and '-'", name);
		return;
	}
	for (unsigned i = 0; i < ld->n_pools; i++) {
		if (strcmp(ld->config->pools[i].name, name) != 0)
			continue;
		fault(ld, "section [pool %s] contradicts line %u, which has a "
		      "pool of the same name; allowed: each name once",
		      name, ld->pools[i].line);
		return;
	}
	if (ld->n_pools == CONFIG_POOLS_MAX) {
		fault(ld, "section [pool %s] is one too many; allowed: %u "
		      "pools", name, CONFIG_POOLS_MAX);
		return;
	}
	section = &ld->pools[ld->n_pools];
	section->keys = config_pool_keys;
	section->n_keys = CONFIG_POOL_KEYS;
	section->base = &ld->config->pools[ld->n_pools];
	section->line = ld->line;
	snprintf(section->title, sizeof(section->title), "[pool %s]", name);
	config_default_pool(section->base, name);
	ld->n_pools++;
	ld->section = section;
}

/* A line that starts with '['; text is cut up. */
static void open_section(struct loader *ld, char *text)
{
	char *end = strchr(text, ']');
	char *rest;

	ld->section = NULL;
	ld->key = NULL;
	ld->skipping = true;
	if (end == NULL) {
		fault(ld, "\"%.100s\" lacks its ']'; allowed: " SECTIONS, text);
		return;
	}
	rest = end + 1 + strspn(end + 1, " \t");
	if (*rest != '\0' && *rest != ';' && *rest != '#') {
		fault(ld, "\"%.100s\" follows a section's ']'; allowed: a "
		      "line of its own, or a comment after ';'", rest);
		return;
	}
	*end = '\0';
	text++;
	if (strcmp(text, "slabd") == 0)
		open_single(ld, &ld->slabd);
	else if (strcmp(text, "balance") == 0)
		open_single(ld, &ld->balance);
	else if (strncmp(text, "pool ", 5) == 0)
		open_pool(ld, text + 5 + strspn(text + 5, " \t"));
	else
		fault(ld, "section [%.100s] is unknown; allowed: " SECTIONS, text);
}

/* ---- keys --------------------------------------------------------------- */

static void fault_unknown(struct loader *ld, const char *name)
{
	const struct section *section = ld->section;
	char names[256];

	fault(ld, "key \"%.100s\" in %s is unknown; allowed: %s", name,
	      section->title,
	      config_key_names(section->keys, section->n_keys, names,
	                       sizeof(names)));
}

static void set_value(struct loader *ld, const struct config_key *key,
                      const char *value)
{
	struct config_input in = { .base = ld->section->base, .value = value };
	const char *title = ld->section->title;
	int rc;

	if (value[0] == '\0') {
		fault(ld, "key \"%s\" in %s has no value; allowed: %s",
		      key->name, title, key->allowed);
		return;
	}
	rc = key->set(key, &in);
	if (rc == 0)
		return;
	if (in.why[0] != '\0')
		fault(ld, "key \"%s\" in %s: %s; allowed: %s", key->name,
		      title, in.why, key->allowed);
	else
		fault(ld, "key \"%s\" in %s: \"%.100s\" is %s; allowed: %s",
		      key->name, title, value,
		      rc == -ERANGE ? "out of range" : "not a valid value",
		      key->allowed);
}

static void on_new_key(struct loader *ld, const char *name, const char *value)
{
	struct section *section = ld->section;
	unsigned *line;

	ld->key = config_key_find(section->keys, section->n_keys, name);
	if (ld->key == NULL) {
		fault_unknown(ld, name);
		return;
	}
	line = &section->key_lines[ld->key - section->keys];
	if (*line != 0) {
		fault(ld, "key \"%s\" in %s is there twice, first in line %u; "
		      "allowed: once, %s", name, section->title, *line,
		      ld->key->allowed);
		ld->key = NULL;
		return;
	}
	*line = ld->line;
	set_value(ld, ld->key, value);
}

/* inih's handler: 1 is success. Every fault is ours to report, so never 0. */
static int on_key(void *user, const char *section, const char *name,
                  const char *value)
{
	struct loader *ld = user;

	(void)section;
	ld->pending = false;
	if (ld->section == NULL) {
		if (!ld->skipping)
			fault(ld, "key \"%.100s\" stands before any section; "
			      "allowed: " SECTIONS " above it",
			      name);
		ld->skipping = true;
	} else if (!ld->go_on) {
		on_new_key(ld, name, value);
	} else if (ld->key != NULL && ld->key->list) {
		set_value(ld, ld->key, value);
	} else if (ld->key != NULL) {
		fault(ld, "key \"%s\" in %s can't go on in a second line; "
		      "allowed: %s", ld->key->name, ld->section->title,
		      ld->key->allowed);
	}
	return 1;
}

/* ---- lines -------------------------------------------------------------- */

/* Reads one line without its end into raw, whatever its length and bytes.
 * 0, -ENODATA at the end, -EFBIG; a fault in the line leaves raw empty. */
static int read_raw(struct loader *ld)
{
	unsigned n = 0;
	bool zero = false;
	int c = 0;

	while ((c = getc(ld->in)) != EOF && c != '\n') {
		if (++ld->n_bytes > FILE_BYTES_MAX)
			return -EFBIG;
		zero = zero || c == 0;
		if (n <= LINE_BYTES_MAX)
			ld->raw[n] = (char)c;
		n++;
	}
	if (c == EOF && n == 0)
		return -ENODATA;
	if (c == '\n' && ++ld->n_bytes > FILE_BYTES_MAX)
		return -EFBIG;
	ld->line++;
	if (zero || n > LINE_BYTES_MAX) {
		fault(ld, "%s; allowed: text, at most %d bytes a line, lists "
		      "go on in an indented line",
		      zero ? "a zero byte" : "the line is too long",
		      LINE_BYTES_MAX);
		n = 0;
	}
	if (n > 0 && ld->raw[n - 1] == '\r')
		n--;
	ld->raw[n] = '\0';
	return 0;
}

/* The line that inih had before was no "key = value". */
static void judge_pending(struct loader *ld)
{
	if (ld->pending)
		fault(ld, "\"%.100s\" is neither a section nor key = value; "
		      "allowed: [slabd], [balance], [pool NAME], key = value, and "
		      "comments after '#' or ';'", ld->raw);
	ld->pending = false;
}

/* inih leaves a comment in a line that goes on with a list. */
static void cut_comment(char *text)
{
	for (char *at = text + 1; (at = strchr(at, ';')) != NULL; at++) {
		if (strchr(" \t\r\v\f", at[-1]) == NULL)
			continue;
		*at = '\0';
		return;
	}
}

/* inih's reader, as fgets: the next line that is for inih, or an empty one. */
static char *next_line(char *out, int size, void *stream)
{
	struct loader *ld = stream;
	char *text;

	judge_pending(ld);
	int rc = read_raw(ld);
	if (rc == -EFBIG)
		config_error_add(ld->err,
		                 "%s: over 1 MiB, so no configuration; "
		                 "allowed: an INI file", ld->path);
	if (rc < 0 || size < LINE_BYTES_MAX + 2)
		return NULL;
	text = ld->raw;
	if (ld->line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	char *indented = text;
	text += strspn(text, " \t\r\v\f");
	strcpy(out, "\n");
	if (*text == '[') {
		open_section(ld, text);
	} else if (*text != '\0' && *text != '#' && *text != ';') {
		ld->pending = true;
		cut_comment(text);
		ld->go_on = text > indented && ld->key != NULL &&
		            strpbrk(text, "=:") == NULL;
		snprintf(out, (size_t)size, "%s%s", ld->go_on ? " " : "", text);
	}
	return out;
}

/* ---- what contradicts what ---------------------------------------------- */

/* "line 12", or "the default". */
static const char *where(const struct section *section, unsigned key,
                         char out[32])
{
	if (section->key_lines[key] == 0)
		return "the default";
	snprintf(out, 32, "line %u", section->key_lines[key]);
	return out;
}

/* The later of two keys' lines, to which a contradiction is put down. */
static unsigned later(const struct section *section, unsigned a, unsigned b)
{
	unsigned line_a = section->key_lines[a];
	unsigned line_b = section->key_lines[b];

	return line_a > line_b ? line_a : line_b;
}

static void check_paths(struct loader *ld)
{
	const struct section *section = &ld->slabd;
	char a[32], b[32];

	if (ld->config->socket[0] == '\0' ||
	    strcmp(ld->config->socket, ld->config->control) != 0)
		return;
	ld->line = later(section, CONFIG_KEY_SOCKET, CONFIG_KEY_CONTROL);
	if (ld->line == 0) /* not the file's doing: config_check says it */
		return;
	fault(ld, "key \"control\" (%s) contradicts key \"socket\" (%s) in "
	      "[slabd]: both are \"%s\"; allowed: two paths",
	      where(section, CONFIG_KEY_CONTROL, a),
	      where(section, CONFIG_KEY_SOCKET, b), ld->config->socket);
}

/* A default gives way to the other key. */
static void check_balance(struct loader *ld)
{
	const struct section *section = &ld->balance;
	struct config_balance *balance = section->base;
	char a[32], b[32], hold[CONFIG_DURATION_BYTES];

	if (balance->hold_max_ms >= balance->hold_ms)
		return;
	if (section->key_lines[CONFIG_KEY_HOLD_MAX] == 0) {
		balance->hold_max_ms = balance->hold_ms;
		return;
	}
	ld->line = later(section, CONFIG_KEY_HOLD, CONFIG_KEY_HOLD_MAX);
	fault(ld, "key \"hold_max\" (%s) contradicts key \"hold\" (%s) in "
	      "%s: hold_max is under %s; allowed: at least hold",
	      where(section, CONFIG_KEY_HOLD_MAX, a),
	      where(section, CONFIG_KEY_HOLD, b), section->title,
	      config_value_put_duration(hold, balance->hold_ms));
}

static void check_floor(struct loader *ld, const struct section *section)
{
	const struct config_pool *pool = section->base;
	char a[32], b[32], size[CONFIG_SIZE_BYTES];

	/* Not given, or given as what is no size, which was said. */
	if (pool->floor_bytes == UINT64_MAX ||
	    pool->floor_bytes <= pool->max_bytes)
		return;
	ld->line = later(section, CONFIG_KEY_FLOOR, CONFIG_KEY_MAX);
	fault(ld, "key \"floor\" (%s) contradicts key \"max\" (%s) in %s: "
	      "floor is over %s; allowed: at most max",
	      where(section, CONFIG_KEY_FLOOR, a),
	      where(section, CONFIG_KEY_MAX, b), section->title,
	      config_value_put_size(size, pool->max_bytes));
}

static void check_pool(struct loader *ld, const struct section *section)
{
	struct config_pool *pool = section->base;
	uint64_t page = config_page_bytes(pool->page);
	char a[32], b[32], size[CONFIG_SIZE_BYTES], page_size[CONFIG_SIZE_BYTES];

	if (pool->max_bytes == 0)
		return;
	config_value_put_size(size, pool->max_bytes);
	if (pool->max_bytes % page != 0) {
		ld->line = later(section, CONFIG_KEY_MAX, CONFIG_KEY_PAGE);
		fault(ld, "key \"max\" (%s) contradicts key \"page\" (%s) in "
		      "%s: %s is not whole pages; allowed: a multiple of %s",
		      where(section, CONFIG_KEY_MAX, a),
		      where(section, CONFIG_KEY_PAGE, b), section->title, size,
		      config_value_put_size(page_size, page));
	}
	check_floor(ld, section);
	if (pool->start_bytes <= pool->max_bytes)
		return;
	if (section->key_lines[CONFIG_KEY_START] == 0) {
		pool->start_bytes = pool->max_bytes;
		return;
	}
	ld->line = later(section, CONFIG_KEY_START, CONFIG_KEY_MAX);
	fault(ld, "key \"start\" (%s) contradicts key \"max\" (%s) in %s: "
	      "start is over %s; allowed: at most max",
	      where(section, CONFIG_KEY_START, a),
	      where(section, CONFIG_KEY_MAX, b), section->title, size);
}

static void load_stream(struct loader *ld)
{
	int rc;

	errno = 0;
	rc = ini_parse_stream(next_line, ld, on_key, ld);
	if (rc == -2)
		config_error_add(ld->err, "%s: no memory to read it; try "
		                 "again with memory free", ld->path);
	if (ferror(ld->in))
		config_error_add(ld->err, "%s: can't be read: %s; allowed: a "
		                 "regular file that slabd may read", ld->path,
		                 strerror(errno));
	if (ld->n_pools > 0)
		ld->config->n_pools = ld->n_pools;
	check_paths(ld);
	check_balance(ld);
	for (unsigned i = 0; i < ld->n_pools; i++)
		check_pool(ld, &ld->pools[i]);
	for (unsigned i = 0; i < ld->config->n_pools; i++)
		ld->config->pools[i].balance = ld->config->balance;
}

int config_load(struct config *config, const char *path,
                struct config_error *err)
{
	struct loader ld = {
		.config = config,
		.err = err,
		.path = path,
		.slabd = { .title = "[slabd]", .keys = config_slabd_keys,
		           .n_keys = CONFIG_SLABD_KEYS, .base = config },
		.balance = { .title = "[balance]",
		             .keys = config_balance_keys,
		             .n_keys = CONFIG_BALANCE_KEYS,
		             .base = &config->balance },
	};
	unsigned before = err->n + err->n_more;

	if (strlen(path) > SHOWN_PATH_BYTES) /* the end tells more */
		ld.path = path + strlen(path) - SHOWN_PATH_BYTES;
	ld.in = fopen(path, "re");
	if (ld.in == NULL) {
		config_error_add(err, "%s: can't be opened: %s; allowed: a "
		                 "file that slabd may read, or no --config for "
		                 "the defaults", ld.path, strerror(errno));
		return -EINVAL;
	}
	load_stream(&ld);
	fclose(ld.in);
	return err->n + err->n_more > before ? -EINVAL : 0;
}
