/* SPDX-License-Identifier: MIT */
#include "daemon/plan/step.h"

#include <stddef.h>

static const char *const kinds[PLAN_KINDS] = {
	[PLAN_CARVE] = "carve",   [PLAN_REASSIGN] = "reassign",
	[PLAN_LEND] = "lend",     [PLAN_MIGRATE] = "migrate",
	[PLAN_RETURN] = "return", [PLAN_TRIM] = "trim",
	[PLAN_SHRINK] = "shrink", [PLAN_DRAIN] = "drain",
};

static const struct {
	const char *name;
	const char *text;
} reasons[PLAN_NO_REASON + 1] = {
	[PLAN_SHORT] = {"short", "clients lack slabs here"},
	[PLAN_USED_THERE] = {"used-there",
                             "the page's users are at the other node"},
	[PLAN_LENDER_SHORT] = {"lender-short", "the home needs it back"},
	[PLAN_LOAN_OVER] = {"loan-over", "the borrower can do without"},
	[PLAN_PRESSED] = {"pressed", "the kernel is short of memory here"},
	[PLAN_IDLE] = {"idle", "empty for long"},
	[PLAN_ASKED] = {"asked", "slabctl trim asked for it"},
	[PLAN_DRAINED] = {"drained", "the node is to be emptied"},
	[PLAN_NO_UNITS] = {"no-units", "no free units, and no page to be had"},
	[PLAN_AT_LIMIT] = {"at-limit", "the pool may have no more pages here"},
	[PLAN_NO_EMPTY] = {"no-empty", "no empty slab of another cache"},
	[PLAN_SMALL_KEPT] = {"small-kept", "only slabs that other caches keep"},
	[PLAN_STRICT] = {"strict", "the cache takes the local node alone"},
	[PLAN_NONE_PLENTY] = {"none-plenty", "no node has plenty of the cache"},
	[PLAN_HELD] = {"held", "moved too recently, the other way"},
	[PLAN_NO_RIGHT] = {"no-right", "CAP_SYS_NICE is missing"},
	[PLAN_NO_ROOM] = {"no-room", "no node has room for the page"},
	[PLAN_RATE] = {"rate", "enough moved for now"},
	[PLAN_TOO_DEAR] = {"too-dear", "costs more than it saves"},
	[PLAN_STUCK] = {"stuck", "the kernel refused the page lately"},
	[PLAN_AT_FLOOR] = {"at-floor", "what is left is the configured floor"},
	[PLAN_NO_REASON] = {"unknown", "unknown"},
};

const char *plan_kind_name(enum plan_kind kind)
{
	return (unsigned)kind < PLAN_KINDS ? kinds[kind] : "unknown";
}

/* The row of what has no other. */
static unsigned known(enum plan_reason reason)
{
	return (unsigned)reason < PLAN_NO_REASON ? reason : PLAN_NO_REASON;
}

const char *plan_reason_name(enum plan_reason reason)
{
	return reasons[known(reason)].name;
}

const char *plan_reason_text(enum plan_reason reason)
{
	return reasons[known(reason)].text;
}

const char *plan_reason_remedy(enum plan_reason reason)
{
	static const char *const remedies[PLAN_NO_REASON] = {
		[PLAN_NO_UNITS] = "slabctl nodes says what memory lacks; or "
				  "raise the pool's max in slabd.conf",
		[PLAN_AT_LIMIT] = "raise the pool's max in slabd.conf",
		[PLAN_NO_EMPTY] = "slabctl trim has clients send home what "
				  "they hoard",
		[PLAN_SMALL_KEPT] = "slabctl set keep_slabs to less",
		[PLAN_STRICT] = "make the cache without "
				"SLABD_CACHE_STRICT, or raise the pool's max",
		[PLAN_NONE_PLENTY] = "slabctl trim, slabctl set lend_keep to "
				     "less, or raise the pool's max",
		[PLAN_HELD] = "wait, or slabctl set hold to less",
		[PLAN_NO_RIGHT] = "run slabd under its unit, or with "
				  "CAP_SYS_NICE",
		[PLAN_NO_ROOM] = "slabctl trim, raise the pool's max, or "
				 "make room on another node",
		[PLAN_RATE] = "wait, or slabctl set migrate_rate to more",
		[PLAN_TOO_DEAR] = "slabctl set migrate_cost to less, or "
				  "slabctl migrate by hand",
		[PLAN_STUCK] = "slabctl log has the kernel's reason; it is "
			       "tried again later",
		[PLAN_AT_FLOOR] = "lower the pool's floor in slabd.conf",
		[PLAN_PRESSED] = "free memory on the node",
		[PLAN_DRAINED] = "slabctl drain NODE --undo",
	};
	const char *remedy = reason < PLAN_NO_REASON ? remedies[reason] : NULL;
	return remedy != NULL ? remedy : "";
}
