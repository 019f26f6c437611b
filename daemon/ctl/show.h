/* SPDX-License-Identifier: MIT */
/*
 * What slabctl shows of each reply. Pure: a document in, text out, nothing
 * else read or changed (but for the locale, which says how wide a character
 * is).
 */
#ifndef DAEMON_CTL_SHOW_H
#define DAEMON_CTL_SHOW_H

#include "daemon/ctl/doc.h"

void ctl_status(struct ctl *c, const json_t *doc);
void ctl_nodes(struct ctl *c, const json_t *doc);
/* Tables alone, and bars alone, for top. */
void ctl_caches_rows(struct ctl *c, const json_t *pool);
void ctl_clients_rows(struct ctl *c, const json_t *pool);
void ctl_nodes_bars(struct ctl *c, const json_t *pool);

void ctl_caches(struct ctl *c, const json_t *doc);
void ctl_clients(struct ctl *c, const json_t *doc);
void ctl_roots(struct ctl *c, const json_t *doc);
void ctl_channels(struct ctl *c, const json_t *doc);
void ctl_leaks(struct ctl *c, const json_t *doc);
void ctl_arenas(struct ctl *c, const json_t *doc);
void ctl_objpools(struct ctl *c, const json_t *doc);
void ctl_slabs(struct ctl *c, const json_t *doc);
void ctl_dump(struct ctl *c, const json_t *doc);
void ctl_audit(struct ctl *c, const json_t *doc);
int ctl_audit_verdict(const json_t *doc);
void ctl_doctor(struct ctl *c, const json_t *doc);
int ctl_doctor_verdict(const json_t *doc);
void ctl_advise(struct ctl *c, const json_t *doc);
void ctl_plan(struct ctl *c, const json_t *doc);
void ctl_log(struct ctl *c, const json_t *doc);
void ctl_history(struct ctl *c, const json_t *pool);
void ctl_lend(struct ctl *c, const json_t *doc);
void ctl_migrate(struct ctl *c, const json_t *doc);
void ctl_drain(struct ctl *c, const json_t *doc);
void ctl_root(struct ctl *c, const json_t *doc);
void ctl_pool(struct ctl *c, const json_t *pool);
void ctl_channel(struct ctl *c, const json_t *doc);
void ctl_evict(struct ctl *c, const json_t *doc);
void ctl_cache(struct ctl *c, const json_t *doc);
void ctl_trim(struct ctl *c, const json_t *doc);
void ctl_show_save(struct ctl *c, const json_t *doc);
int ctl_save_verdict(const json_t *doc);
void ctl_show_upgrade(struct ctl *c, const json_t *doc);
int ctl_upgrade_verdict(const json_t *doc);
void ctl_set(struct ctl *c, const json_t *doc);

/* Of /nodes: the nodes that are being emptied, and how far it is; and of one
 * such node what is in the way, and who holds what there, a line each. */
void ctl_drain_progress(struct ctl *c, const json_t *doc);
void ctl_drain_holders(struct ctl *c, const json_t *node);

/* The bytes that still lie on a node, by the kernel's id, in the pools that
 * drain it; -1 if none does. began, an object, keeps what lay there at the
 * first look, which is noted in doc. */
int64_t ctl_drain_left(json_t *doc, int64_t id, json_t *began);

#endif
