/* SPDX-License-Identifier: MIT */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/ctl/verbs.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/create.h"
#include "daemon/pool/slabs.h"
#include "daemon/serve/duty.h"
#include "shm/slab.h"

static struct topo topo;
static struct config config;
static struct admin *admin;
static struct admin_routes routes;
static struct sockaddr_un addr;
static socklen_t addr_len;
static json_t *doc; /* the last reply */

struct server server;
struct pool *const first = &server.pools[0];
uint32_t orders;
int status;

/* ---- a server ----------------------------------------------------------- */

void set_up_pool(unsigned i, const char *name)
{
	struct config_pool *c = &config.pools[i];
	config_default_pool(c, name);
	c->max_bytes = 8 * MIB;
	c->start_bytes = 2 * MIB;
	c->page = CONFIG_PAGE_4K;
	c->max_caches = 8;
	c->max_clients = 4;
	cr_assert_eq(create_pool(&server.pools[i], c, &topo, false, i), 0);
	cr_assert_eq(balance_make(&server.pools[i]), 0);
	server.n_pools = i + 1;
}

static void set_up_http(void)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	server.base = event_base_new();
	cr_assert_eq(duty_open(&server), 0);
	server.control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert(server.control.fd >= 0);
	/* No path: the kernel picks an abstract address. */
	cr_assert_eq(bind(server.control.fd, (void *)&any,
	                  sizeof(sa_family_t)),
	             0);
	cr_assert_eq(listen(server.control.fd, 8), 0);
	addr_len = sizeof(addr);
	cr_assert_eq(getsockname(server.control.fd, (void *)&addr, &addr_len),
	             0);
	report_routes(&server, &routes);
	cr_assert_eq(admin_start(&admin, server.base,
	                         server.control.fd, &routes),
	             0);
}

uint32_t make_cache(struct pool *of, const char *name, uint64_t size)
{
	char padded[NAME_BYTES] = "";
	struct remedy why;
	int id;
	strcpy(padded, name);
	id = caches_create(of, padded, size, 0, 0, &why);
	cr_assert_gt(id, 0, "%s", why.what);
	return (uint32_t)id;
}

void set_up(void)
{
	cr_assert_eq(topo_load(&topo, "node:2 core:1 pu:1"), 0);
	config_defaults(&config);
	server.config = &config;
	server.topo = &topo;
	server.started_ns = clock_ns() - 5 * CLOCK_S;
	set_up_pool(0, "default");
	set_up_http();
	orders = make_cache(first, "orders", STRIDE);
}

void tear_down(void)
{
	json_decref(doc);
	admin_stop(admin);
	close(server.control.fd);
	duty_close(&server);
	event_base_free(server.base);
	while (server.n_pools > 0) {
		struct pool *pool = &server.pools[--server.n_pools];
		balance_done(pool);
		pool_destroy(pool);
	}
}

/* ---- requests ----------------------------------------------------------- */

static void read_reply(int fd, FILE *out)
{
	char part[4096];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	for (int idle = 0; idle < 2000;) {
		ssize_t n;
		event_base_loop(server.base, EVLOOP_NONBLOCK);
		idle += poll(&p, 1, 1) <= 0;
		if (p.revents == 0)
			continue;
		n = read(fd, part, sizeof(part));
		cr_assert(n >= 0);
		if (n == 0)
			return;
		fwrite(part, 1, (size_t)n, out);
	}
	cr_assert_fail("no whole reply in two seconds");
}

/* slabctl must be able to show what slabd sends. */
static void render(const char *path)
{
	static const struct ctl_style style = {.width = 80};
	char verb[20];
	char fault[256];
	FILE *out = fopen("/dev/null", "w");
	sscanf(strncmp(path, "/un", 3) == 0 ? path + 2 : path, "%*1s%19[a-z]",
	       verb);
	cr_expect_eq(ctl_verbs_show(ctl_verbs_find(verb), doc, &style, out, fault,
	                        sizeof(fault)),
	             0, "%s: %s", path, fault);
	fclose(out);
}

static void ask(const char *request, const char *path)
{
	char *reply = NULL;
	size_t size;
	FILE *out = open_memstream(&reply, &size);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	const char *body;
	json_error_t error;
	cr_assert_eq(connect(fd, (void *)&addr, addr_len), 0);
	dprintf(fd, "%s", request);
	read_reply(fd, out);
	close(fd);
	fclose(out);
	cr_assert_eq(sscanf(reply, "HTTP/1.%*d %d", &status), 1, "%s", reply);
	body = strstr(reply, "\r\n\r\n");
	cr_assert_not_null(body);
	json_decref(doc);
	doc = json_loads(body, 0, &error);
	cr_assert_not_null(doc, "%s: %s", error.text, body);
	free(reply);
	if (status == 200)
		render(path);
}

void get(const char *path)
{
	char request[400];
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	ask(request, path);
}

void post(const char *path, const char *form)
{
	char request[800];
	snprintf(request, sizeof(request),
	         "POST %s HTTP/1.0\r\nContent-Type: "
	         "application/x-www-form-urlencoded\r\nContent-Length: "
	         "%zu\r\n\r\n%s", path, strlen(form), form);
	ask(request, path);
}

/* What stands at "pools/0/nodes/1/slabs" of the last reply. */
static json_t *at(const char *path)
{
	char copy[200];
	char *rest;
	json_t *here = doc;
	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, "/", &rest); key != NULL && here;
	     key = strtok_r(NULL, "/", &rest))
		here = json_is_array(here)
		               ? json_array_get(here, strtoul(key, NULL, 10))
		               : json_object_get(here, key);
	cr_assert_not_null(here, "nothing at %s", path);
	return here;
}

long long num(const char *path)
{
	cr_assert(json_is_integer(at(path)), "%s is no integer", path);
	return json_integer_value(at(path));
}

double real(const char *path)
{
	cr_assert(json_is_number(at(path)), "%s is no number", path);
	return json_number_value(at(path));
}

const char *str(const char *path)
{
	cr_assert(json_is_string(at(path)), "%s is no string", path);
	return json_string_value(at(path));
}

bool yes(const char *path)
{
	cr_assert(json_is_boolean(at(path)), "%s is no boolean", path);
	return json_is_true(at(path));
}

size_t count(const char *path)
{
	cr_assert(json_is_array(at(path)), "%s is no array", path);
	return json_array_size(at(path));
}

void has_keys(const char *path, const char *keys)
{
	size_t n = 1;
	const char *key;
	json_t *value;
	json_object_foreach(at(path), key, value) {
		char with[80];
		snprintf(with, sizeof(with), " %s ", key);
		cr_expect(strstr(keys, with), "%s: %s is not in the schema",
		          path, key);
		n += strlen(key) + 1;
	}
	cr_expect_eq(n, strlen(keys), "%s has not all of%s", path, keys);
}

static void is_refusal(const char *path, int want, const char *error,
                       const char *remedy)
{
	cr_expect_eq(status, want, "%s: %d", path, status);
	has_keys("", " error remedy ");
	cr_expect_str_eq(str("error"), error, "%s", path);
	cr_expect_str_eq(str("remedy"), remedy, "%s", path);
}

void refused(const char *path, int want, const char *error,
             const char *remedy)
{
	get(path);
	is_refusal(path, want, error, remedy);
}

void post_refused(const char *path, const char *form, int want,
                  const char *error, const char *remedy)
{
	post(path, form);
	is_refusal(form, want, error, remedy);
}

/* ---- doings ------------------------------------------------------------- */

uint32_t carve(uint32_t cache, uint32_t home, uint32_t list)
{
	uint32_t head;
	cr_assert_eq(slabs_carve(first, cache, home, list, &head), 0);
	return head;
}

void hold_still(void)
{
	struct config_balance still = *balance_config(first);
	still.enabled = false;
	still.hold_ms = still.hold_max_ms = 3600000;
	balance_configure(first, &still);
}

uint32_t join(const char *comm)
{
	int id = clients_take(first, 4242, 1000, comm);
	cr_assert_gt(id, 0);
	return (uint32_t)id;
}

static struct slab_user user_of(uint32_t id)
{
	/* Claims work out addresses and touch none. */
	return (struct slab_user){
	        .view = &first->view,
	        .data = (char *)(UINT64_C(1) << 40),
	        .id = id,
	        .epoch = clients_epoch(first, id),
	};
}

void claim(uint32_t id, uint32_t cache, uint32_t node, uint32_t n)
{
	struct slab_user user = user_of(id);
	void *out[SLAB_RUN_MAX];
	bool ring;
	cr_assert_eq(slab_claim_any(&user, cache, node, n, out, &ring), n);
}
