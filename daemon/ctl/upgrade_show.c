/* SPDX-License-Identifier: MIT */
/* What slabctl upgrade --check shows, and its exit status. */
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

#define INDENT 6

static const struct ctl_col cols[] = {
	{CTL_COL("pool", "name", CTL_NAME), .flex = true},
	{CTL_COL("clients", "clients", CTL_INT)},
	{CTL_COL("pages", "backing", CTL_NAME)},
	{CTL_COL("after a restart", "result", CTL_NAME)},
};

static void put_reasons(struct ctl *c, const json_t *pool)
{
	struct ctl_iter it;
	const json_t *setting;
	ctl_text_said(c, INDENT, "", pool, "what");
	if (ctl_doc_int(c, pool, "clients") > 0)
		ctl_text_said(c, INDENT, "its clients: ", pool, "effect");
	ctl_text_said(c, INDENT, "do: ", pool, "todo");
	ctl_text_said(c, INDENT, "", pool, "note");
	ctl_doc_begin(&it, c, pool, "waiting");
	while ((setting = ctl_doc_next(&it)))
		ctl_text_line(c, INDENT, setting,
		              "{key t32} = {configured t32} in slabd.conf waits "
		              "for a pool made anew: this one goes on with "
		              "{running t32}");
}

static const struct ctl_list pools = {
	.key = "pools", .none = "no pools\n", CTL_COLS(cols),
	.under = put_reasons,
};

void ctl_show_upgrade(struct ctl *c, const json_t *doc)
{
	struct ctl_iter it;
	const json_t *remark;
	bool takes_over = ctl_doc_bool(c, doc, "takes_over");
	ctl_text_line(c, 0, ctl_doc_object(c, doc, "running"),
	              "running: slabd {version t40}, pid {pid}, layout "
	              "{layout_version}, ledger {ledger_version}, ABI "
	              "{wire_abi}");
	ctl_text_line(c, 0, ctl_doc_object(c, doc, "installed"),
	              "installed: {program t400}, {version t40}, layout "
	              "{layout_version}, ledger {ledger_version}, ABI "
	              "{wire_abi}");
	ctl_text_paint(c, takes_over ? CTL_GREEN : CTL_RED,
	               takes_over ? "a restart takes over all that this slabd has"
	                          : "a restart does not take over all that this slabd has");
	fputc('\n', c->out);
	ctl_table_show(c, doc, &pools);
	ctl_doc_begin(&it, c, doc, "remarks");
	while ((remark = ctl_doc_next(&it))) {
		ctl_text_said(c, 0, "", remark, "what");
		ctl_text_said(c, INDENT, "do: ", remark, "todo");
	}
}

int ctl_upgrade_verdict(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "takes_over")) ? 0 : 1;
}
