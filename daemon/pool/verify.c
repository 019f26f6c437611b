/* SPDX-License-Identifier: MIT */
#include "daemon/pool/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/nodes.h"
#include "shm/slab.h"

#define LOOKED_TODO                                                            \
	"leave the slabd that runs; or end its clients, then stop slabd and "  \
	"start the new one"
#define LOOKS 3        /* at a row that slabd may be writing */
#define LOOK_US 1000

int verify_refuse(const struct pool *pool, int error, const char *why, ...)
{
	char text[300];
	va_list args;
	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	if (pool->look != NULL)
		return remedy_set(&pool->look->why, error, LOOKED_TODO,
		                  "%s", text);
	log_error("pool %s: can't take over the memory that was kept: %s; "
	          "nothing was touched. To go on with it start the slabd that "
	          "made it; to start clean stop its clients, then stop slabd "
	          "and start it anew", pool->name, text);
	return error;
}

/* ---- the ledger ---------------------------------------------------------- */

const char *verify_why(enum verify_result result)
{
	switch (result) {
	case VERIFY_PARTS:
		return "the service manager has not kept all of it";
	case VERIFY_UNFINISHED:
		return "slabd was killed while it made it";
	case VERIFY_SPENT:
		return "it was set aside, and its clients have ended";
	default:
		return "";
	}
}

static int map_journal(struct pool *pool)
{
	struct remedy why;
	int r = pool->look != NULL
	                ? journal_look(pool->journal_fd, pool->name,
	                               &pool->journal, &why)
	                : journal_map(pool->journal_fd, pool->name,
	                              &pool->journal, &why);
	return r < 0 ? verify_refuse(pool, r, "%s", why.what) : 0;
}

enum verify_result verify_open(struct pool *pool, int *error)
{
	pool->journal_fd = keep_take(pool, KEEP_JOURNAL);
	*error = 0;
	if (pool->journal_fd < 0)
		return keep_peek(pool->name, KEEP_CONTROL) >= 0
		               ? VERIFY_PARTS : VERIFY_NOTHING;
	*error = map_journal(pool);
	if (*error < 0)
		return VERIFY_REFUSED;
	/* pairs: create_pool, in the slabd before this one. */
	if (atom_load_acquire(&pool->journal->state) == JOURNAL_MAKING)
		return VERIFY_UNFINISHED;
	return keep_has_all(pool) ? VERIFY_SOUND : VERIFY_PARTS;
}

/* ---- control and shared -------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void note(const struct pool *pool, const char *format, ...)
{
	char text[REMEDY_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (pool->look != NULL)
		memcpy(pool->look->note, text, sizeof(text));
	else
		log_warn("pool %s: %s", pool->name, text);
}

/* From here on the pool's nodes are those of its own table. */
static int match_nodes(struct pool *pool)
{
	const struct journal *journal = pool->journal;
	if (nodes_are_those(journal, pool->topo))
		return 0;
	pool->own_topo = nodes_view(journal, pool->topo);
	if (pool->own_topo == NULL)
		return verify_refuse(pool, -ENOMEM, "%s", strerror(ENOMEM));
	note(pool, "it lies on %u nodes, and there are %u now: it goes on with "
	     "those of its own that are there", journal->n_nodes,
	     pool->topo->n_nodes);
	pool->topo = pool->own_topo;
	return 0;
}

/* Maps a sealed file of ours as a whole. */
static int map_kept(const struct pool *pool, unsigned file, int *fd, void **at,
                    uint64_t *bytes)
{
	const char *what = file == KEEP_CONTROL ? "control" : "shared";
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	int protection = PROT_READ | (pool->look != NULL ? 0 : PROT_WRITE);
	struct stat st;
	*fd = keep_take(pool, file);
	if (*fd >= 0 && (fstat(*fd, &st) < 0 ||
	                 (fcntl(*fd, F_GET_SEALS) < 0 && errno != EINVAL)))
		return verify_refuse(pool, -errno, "its %s file: %s", what,
		                     strerror(errno));
	if (*fd < 0 ||
	    (fcntl(*fd, F_GET_SEALS) & seals) != seals || st.st_size < 4096)
		return verify_refuse(pool, -EINVAL,
		                     "there is no sealed %s file", what);
	*bytes = (uint64_t)st.st_size;
	*at = mmap(NULL, *bytes, protection, MAP_SHARED, *fd, 0);
	if (*at != MAP_FAILED) {
		(void)madvise(*at, *bytes, MADV_NOHUGEPAGE); /* as it was made */
		/* A dump of ours would fill its holes. */
		(void)madvise(*at, *bytes, MADV_DONTDUMP);
		return 0;
	}
	*at = NULL;
	return verify_refuse(pool, -errno, "its %s file: %s", what,
	                     strerror(errno));
}

static int bad_head(const struct pool *pool)
{
	return verify_refuse(pool, -EINVAL, "the head of its control file is "
	                     "damaged, or another pool's");
}

static bool is_head_sound(const struct layout_head *head)
{
	return head->ready_lists <= head->n_caches &&
	       head->top_id <= CLIENT_ID_MAX &&
	       head->ready_lines <= head->n_units * LINES_PER_UNIT;
}

int verify_map(struct pool *pool)
{
	struct layout_geometry *sizes = &pool->view.geo;
	struct layout_geometry geo;
	void *control = NULL;
	int r = match_nodes(pool);
	if (r == 0)
		r = map_kept(pool, KEEP_CONTROL, &pool->control_fd, &control,
		             &sizes->control_bytes);
	if (r < 0)
		return r;
	pool->head = control;
	if (pool->head->magic == LAYOUT_MAGIC &&
	    pool->head->version != LAYOUT_VERSION)
		return verify_refuse(pool, -EPROTO,
		                     "its layout is version %u, and this slabd "
		                     "knows version %u",
		                     pool->head->version, LAYOUT_VERSION);
	r = map_kept(pool, KEEP_SHARED, &pool->shared_fd, &pool->shared,
	             &sizes->shared_bytes);
	if (r < 0)
		return r;
	r = layout_check(pool->head, sizes->control_bytes, sizes->shared_bytes,
	                 &geo);
	if (r < 0 || geo.n_nodes != pool->topo->n_nodes ||
	    pool->head->instance != pool->journal->instance ||
	    !is_head_sound(pool->head))
		return bad_head(pool);
	view_init(&pool->view, &geo, pool->head, pool->shared);
	r = pool->control_ro_fd = pool_open_read_only(pool->control_fd);
	return r < 0 ? verify_refuse(pool, r, "%s", strerror(-r)) : 0;
}

bool verify_is_spent(const struct pool *pool)
{
	bool any = false;
	for (uint32_t id = 1; !any && id <= pool->head->top_id; id++) {
		const struct layout_client *row = &pool->view.clients[id];
		int fd = view_client_live(&pool->view, id)
		                 ? proc_open(row->pid, row->began)
		                 : -ESRCH;
		any = fd != -ESRCH;
		if (fd >= 0)
			close(fd);
	}
	return pool->head->aside != 0 && !any;
}

/* ---- data and tables ----------------------------------------------------- */

static bool is_sound(const struct layout_geometry *geo,
                     const struct layout_cache *row)
{
	uint64_t objects = (uint64_t)row->n_objs * row->stride;
	uint64_t spread = (uint64_t)row->colours * row->colour_step;
	if (row->state == CACHE_GONE)
		return true;
	return row->state == CACHE_LIVE && row->stride >= STRIDE_MIN &&
	       row->n_objs > 0 && row->order <= geo->page_shift - UNIT_SHIFT &&
	       row->magic == UINT64_MAX / row->stride + 1 &&
	       row->colours > 0 && row->colour_step >= LINE_BYTES &&
	       objects + spread - row->colour_step <=
	               UNIT_BYTES << row->order &&
	       memchr(row->name, '\0', NAME_BYTES) != NULL;
}

/* A slabd that still runs may be writing it. */
static bool is_sound_later(const struct pool *pool,
                           const struct layout_cache *row)
{
	bool sound = false;
	for (int i = 0; pool->look != NULL && !sound && i < LOOKS; i++) {
		usleep(LOOK_US);
		sound = is_sound(&pool->view.geo, row);
	}
	return sound;
}

static int check_caches(struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	uint32_t n = 0;
	for (; n < geo->n_caches && pool->view.caches[n].state != CACHE_NONE;
	     n++) {
		const struct layout_cache *row = &pool->view.caches[n];
		if (!is_sound(geo, row) && !is_sound_later(pool, row))
			return verify_refuse(pool, -EINVAL,
			                     "row %u of its cache table is "
			                     "damaged", n + 1);
	}
	pool->n_caches = n;
	return 0;
}

void verify_files(const struct pool *pool, struct backing_kept kept[])
{
	for (unsigned i = 0; i < pool->topo->n_nodes; i++) {
		const struct journal_node *node = &pool->journal->node[i];
		kept[i] = (struct backing_kept){
			.fd = keep_peek(pool->name, KEEP_NODES + i),
			.kind = (enum backing_kind)node->kind,
			.bound = node->bound != 0,
			.file_bytes = node->file_bytes,
			.note = node->note};
	}
}

static int check_files(const struct pool *pool)
{
	struct backing_kept kept[TOPO_NODES_MAX];
	char error[BACKING_ERROR];
	int r = 0;
	verify_files(pool, kept);
	for (unsigned i = 0; r == 0 && i < pool->topo->n_nodes; i++)
		r = backing_check(&kept[i], pool->topo->node[i].os_id, error);
	return r < 0 ? verify_refuse(pool, r, "%s", error) : 0;
}

static int bad_nodes(const struct pool *pool)
{
	return verify_refuse(pool, -EINVAL, "its table of nodes is damaged");
}

/* Checks the tables of nodes and of pages against the files. */
static int check_nodes(const struct pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	const struct journal_node *node = pool->journal->node;
	uint32_t shift = geo->page_shift - UNIT_SHIFT;
	uint64_t first = 0;
	if (backing_kind_shift((enum backing_kind)node->kind) !=
	    geo->page_shift)
		return bad_nodes(pool);
	for (uint32_t i = 0; i < geo->n_nodes; i++) {
		const struct layout_node *row = &pool->view.nodes[i];
		uint64_t page = first >> shift;
		if (row->first_unit != first ||
		    row->n_units != node[i].file_bytes >> UNIT_SHIFT ||
		    row->n_units > geo->n_units - first)
			return bad_nodes(pool);
		first += row->n_units;
		for (; page < first >> shift; page++)
			if (pool->view.pages[page] > geo->n_nodes)
				return verify_refuse(pool, -EINVAL,
				                     "its table of pages is "
				                     "damaged");
	}
	return first == geo->n_units ? 0 : bad_nodes(pool);
}

int verify_tables(struct pool *pool)
{
	int r = check_caches(pool);
	if (r == 0)
		r = check_files(pool);
	return r == 0 ? check_nodes(pool) : r;
}
