/* SPDX-License-Identifier: MIT */
/* Each clause of the audit broken alone, and named in the document. */
#include "tests/lib/report_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/pool/clients.h"
#include "daemon/serve/peer.h"
#include "shm/partial.h"
#include "shm/slab.h"

TestSuite(report_audit, .init = set_up, .fini = tear_down);

/* ---- audit -------------------------------------------------------------- */

Test(report_audit, agrees)
{
	uint32_t id = join("worker");
	carve(orders, 0, 0);
	carve(orders, 1, 0);
	claim(id, orders, 0, 12);
	get("/audit");
	has_keys("", " agree pools ");
	has_keys("pools/0", " name slabs objects free owned lost twice "
	                    "orphans wrong_hints rooted ms faults ");
	cr_expect(yes("agree"));
	cr_expect_eq(num("pools/0/slabs"), 2);
	cr_expect_eq(num("pools/0/objects"), 2 * PER_SLAB);
	cr_expect_eq(num("pools/0/free"), 2 * PER_SLAB - 12);
	cr_expect_eq(num("pools/0/owned"), 12);
	cr_expect_eq(num("pools/0/lost"), 0);
	cr_expect_eq(num("pools/0/twice"), 0);
	cr_expect_eq(num("pools/0/wrong_hints"), 0);
	cr_expect(real("pools/0/ms") > 0);
	cr_expect_eq(count("pools/0/faults"), 0);
	clients_reap(first, id);
	get("/audit");
	cr_expect(yes("agree"));
	cr_expect_eq(num("pools/0/owned"), 0);
	cr_expect_eq(num("pools/0/orphans"), 0);
	/* Given by a client that had not heard of the death. */
	atom_store(slab_tags(&first->view, 0), (uint16_t)id);
	get("/audit");
	cr_expect(yes("agree"));
	cr_expect_eq(num("pools/0/orphans"), 1);
}

/* Audits, and expects one fault, of a clause at a slab, with text in it. */
static void finds(const char *clause, uint32_t head, const char *text)
{
	char whole[200];
	get("/audit");
	cr_expect_not(yes("agree"));
	cr_expect_eq(count("pools/0/faults"), 1);
	has_keys("pools/0/faults/0", " clause slab detail ");
	cr_expect_str_eq(str("pools/0/faults/0/clause"), clause);
	cr_expect_eq(num("pools/0/faults/0/slab"),
	             (long long)(head * UNIT_BYTES));
	snprintf(whole, sizeof(whole), "; cache orders: %s", text);
	cr_expect(strstr(str("pools/0/faults/0/detail"), whole), "%s in %s",
	          whole, str("pools/0/faults/0/detail"));
}

Test(report_audit, finds_tag_owner)
{
	uint32_t head = carve(orders, 1, 1);
	atom_store(&slab_tags(&first->view, head)[3], (uint16_t)77);
	finds("tag-owner", head, "owner 77");
	cr_expect_eq(num("pools/0/lost"), 1);
	cr_expect_eq(num("pools/0/owned"), 1);
}

Test(report_audit, finds_tag_pad)
{
	uint32_t head = carve(orders, 0, 0);
	atom_store(&slab_tags(&first->view, head)[3], (uint16_t)TAG_NONE);
	finds("tag-pad", head, "tag of object 3 is 0xffff");
}

Test(report_audit, finds_list_due)
{
	uint32_t head = carve(orders, 0, 1);
	struct partial list = partial_of(&first->view, orders, 1);
	partial_clear_any(&list, head);
	finds("list-due", head, "bit 0, expected 1, list of node 1");
	cr_expect_eq(num("pools/0/wrong_hints"), 1);
}

Test(report_audit, finds_list_summary)
{
	struct partial list = partial_of(&first->view, orders, 1);
	/* A bit for no slab: harmless itself, but the summary hides it. */
	list.bits[0] = 1;
	finds("list-summary", 0, "list of node 1");
}

Test(report_audit, finds_lease_holder)
{
	uint32_t head = carve(orders, 1, 1);
	atom_store(&first->view.leases[head], 55u | 3u << 16);
	finds("lease-holder", head, "holder 55, epoch 3");
}

Test(report_audit, finds_cache_count)
{
	carve(orders, 1, 1);
	*pool_slabs(first, orders, 1) = 4;
	finds("cache-count", 0, "counted 4, the table has 1");
}

Test(report_audit, finds_file_held)
{
	int fd = first->backing.node[1].fd;
	carve(orders, 1, 1);
	cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                       0, 8192),
	             0);
	get("/audit");
	cr_expect_str_eq(str("pools/0/faults/0/clause"), "file-held");
	cr_expect_eq(num("pools/0/faults/0/slab"), 0);
	cr_expect(strstr(str("pools/0/faults/0/detail"),
	                 "more: node 1 holds 2040 KiB, 8 KiB too little"));
}

Test(report_audit, finds_cache_open)
{
	first->openers[orders - 1] = 3;
	finds("cache-open", 0, "counted 3, the table has 0");
}

Test(report_audit, finds_page_ready)
{
	uint32_t head = carve(orders, 0, 0);
	*(uint8_t *)(uintptr_t)first->view.pages = 0;
	finds("page-ready", head, "page ready 0, expected 1");
}

Test(report_audit, finds_page_home)
{
	uint32_t head = carve(orders, 0, 0);
	*(uint8_t *)(uintptr_t)first->view.pages = 2;
	finds("page-home", head, "home is node 0, the page lies on node 1");
}

Test(report_audit, finds_tag_run)
{
	uint32_t a = carve(orders, 0, 0);
	uint32_t b = carve(orders, 0, 0);
	uint32_t *lines = (uint32_t *)(uintptr_t)first->view.lines;
	uint64_t line = lines[a];
	char text[80];
	lines[b] = lines[a];
	snprintf(text, sizeof(text), "tag lines from %llu on are another's too",
	         (unsigned long long)line);
	finds("tag-run", b, text);
	cr_expect_eq(num("pools/0/twice"), PER_SLAB);
}

Test(report_audit, finds_word_shape)
{
	uint32_t head = carve(orders, 0, 0);
	uint64_t *words = (uint64_t *)(uintptr_t)first->view.words;
	words[head] |= UINT64_C(1) << 24;
	finds("word-shape", head, "word 0x1000001");
}

Test(report_audit, finds_unit_twice)
{
	uint32_t head = carve(make_cache(first, "big", 40000), 0, 0);
	uint64_t *words = (uint64_t *)(uintptr_t)first->view.words;
	words[head + 1] = 0;
	get("/audit");
	cr_expect_not(yes("agree"));
	cr_expect_eq(num("pools/0/twice"), 3);
	cr_expect_str_eq(str("pools/0/faults/0/clause"), "unit-twice");
	cr_expect_eq(num("pools/0/faults/0/slab"),
	             (long long)((head + 1) * UNIT_BYTES));
	cr_expect(strstr(str("pools/0/faults/0/detail"),
	                 "; cache big: word 0x0, expected 0x100000002"));
}

Test(report_audit, tells_how_many_more)
{
	uint32_t head = carve(orders, 0, 0);
	for (uint32_t i = 0; i < 40; i++)
		atom_store(&slab_tags(&first->view, head)[i], (uint16_t)77);
	get("/audit");
	cr_expect_not(yes("agree"));
	cr_expect_eq(num("pools/0/lost"), 40);
	cr_expect_eq(count("pools/0/faults"), AUDIT_FAULTS_MAX);
	cr_expect_null(strstr(str("pools/0/faults/30/detail"), "more"));
	cr_expect(strstr(str("pools/0/faults/31/detail"),
	                 "owner 77; 8 more faults in this pool"));
}

/* What has said of a client that it holds n of its objects twice. */
static void says(uint32_t id, uint32_t n)
{
	struct peer *peer = peer_new(&server, PEER_PENDING);
	peer_enter(peer, PEER_LIVE);
	peer->pool = first;
	peer->id = id;
	claim(id, orders, 0, n);
	peer->survey[SURVEY_FOUND] =
		(struct peer_survey){.heard = true, .seq = 1000};
	for (uint64_t at = 0; peer->found.n < n; at++)
		if (slab_tags(&first->view, 0)[at] == id)
			peer->found.rows[peer->found.n++] =
				(struct wire_found_row){
					.off = slab_colour(&first->view.caches
				                                    [orders - 1],
				                           0) +
				               at * STRIDE,
					.kind = FOUND_TWICE};
}

static unsigned shown_of(uint32_t id)
{
	unsigned n = 0;
	char text[48];
	snprintf(text, sizeof(text), "held free by client %u (says)", id);
	for (size_t i = 0; i < count("pools/0/faults"); i++) {
		char path[48];
		snprintf(path, sizeof(path), "pools/0/faults/%zu/detail", i);
		n += strstr(str(path), text) != NULL;
	}
	return n;
}

/* Those who say much take nobody's place: one of each is shown in any case. */
Test(report_audit, one_who_lies_hides_nobody)
{
	uint32_t honest = join("says");
	uint32_t liar = join("says");
	carve(orders, 0, 0);
	says(honest, 2);
	for (unsigned i = 0; i < 5; i++)
		says(liar, WIRE_FOUND_ROWS);
	get("/audit");
	cr_expect_not(yes("agree"));
	cr_expect_eq(shown_of(honest), 2);
	cr_expect_eq(count("pools/0/faults"), 2 * AUDIT_FAULTS_MAX);
	cr_expect_null(strstr(str("pools/0/faults/62/detail"), "found more"));
	cr_expect(strstr(str("pools/0/faults/63/detail"),
	                 "; clients found more"));
	for (unsigned i = 5; i < 70; i++)
		says(liar, 2);
	get("/audit");
	cr_expect_eq(count("pools/0/faults"), 71);
	cr_expect_eq(shown_of(honest), 1);
	while (server.peers != NULL)
		peer_free(server.peers);
}

Test(report_audit, of_one_bad_pool)
{
	set_up_pool(1, "trade");
	*pool_slabs(first, orders, 1) = 4;
	get("/audit");
	cr_expect_not(yes("agree"));
	cr_expect_eq(count("pools/1/faults"), 0);
	get("/audit?pool=trade");
	cr_expect(yes("agree"));
}
