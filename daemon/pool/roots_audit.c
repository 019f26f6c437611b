/* SPDX-License-Identifier: MIT */
#include "daemon/pool/roots_audit.h"

#include "shm/handle.h"
#include "shm/slab.h"

static bool names_its(const struct view *view, const struct layout_root *row)
{
	const uint16_t *tag = slab_tag_of(view, handle_off(row->handle));
	return tag != NULL && atom_load(tag) == (row->owner | TAG_KNOWN) &&
	       GEN_OBJECT(atom_load(slab_gen_of(view, tag))) ==
	               handle_object(row->handle);
}

static void check_row(const struct view *view, const struct layout_root *row,
                      struct audit *audit)
{
	uint64_t unit = handle_off(row->handle) >> UNIT_SHIFT;
	if (row->state != ROOT_LIVE)
		return;
	if (root_row_word(view, row->owner) == 0)
		audit_fault(audit, AUDIT_ROOT_ID, row->owner, 0, 1);
	if (row->handle != 0 && !names_its(view, row))
		audit_fault(audit, AUDIT_ROOT_OBJECT,
		            unit < view->geo.n_units ? (uint32_t)unit : 0,
		            handle_off(row->handle), row->owner);
}

static bool has_row(const struct view *view, uint32_t id)
{
	for (uint32_t ix = 0;
	     ix < ROOTS_MAX && view->roots[ix].state != ROOT_NONE; ix++)
		if (view->roots[ix].owner == id &&
		    view->roots[ix].state != ROOT_GONE)
			return true;
	return false;
}

void roots_audit(const struct pool *pool, struct audit *audit)
{
	const struct view *view = &pool->view;
	for (uint32_t ix = 0;
	     ix < ROOTS_MAX && view->roots[ix].state != ROOT_NONE; ix++)
		check_row(view, &view->roots[ix], audit);
	for (uint32_t id = 1; id <= view->head->top_id; id++)
		if (root_row_word(view, id) != 0 && !has_row(view, id))
			audit_fault(audit, AUDIT_ROOT_ID, id, 1, 0);
}
