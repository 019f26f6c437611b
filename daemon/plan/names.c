/* SPDX-License-Identifier: MIT */
#include "daemon/plan/plan.h"

static const char *const kinds[POLICY_KINDS] = {
	[POLICY_CARVE] = "carve",   [POLICY_REASSIGN] = "reassign",
	[POLICY_LEND] = "lend",     [POLICY_MIGRATE] = "migrate",
	[POLICY_RETURN] = "return", [POLICY_TRIM] = "trim",
	[POLICY_SHRINK] = "shrink", [POLICY_DRAIN] = "drain",
};

static const struct {
	const char *name;
	const char *text;
} reasons[POLICY_REASONS] = {
	[POLICY_SHORT] = {"short", "clients lack slabs here"},
	[POLICY_USED_THERE] = {"used-there",
                               "the page's users are at the other node"},
	[POLICY_LENDER_SHORT] = {"lender-short", "the home needs it back"},
	[POLICY_LOAN_OVER] = {"loan-over",
                              "the borrower can do without"},
	[POLICY_PRESSED] = {"pressed", "the kernel is short of memory here"},
	[POLICY_IDLE] = {"idle", "empty for long"},
	[POLICY_DRAINED] = {"drained", "the node is to be emptied"},
	[POLICY_NO_UNITS] = {"no-units",
                             "no free units, and no page to be had"},
	[POLICY_AT_LIMIT] = {"at-limit",
                             "the pool may have no more pages here"},
	[POLICY_NO_EMPTY] = {"no-empty", "no empty slab of another cache"},
	[POLICY_SMALL_KEPT] = {"small-kept",
                               "only slabs that other caches keep"},
	[POLICY_STRICT] = {"strict", "the cache takes the local node alone"},
	[POLICY_NONE_PLENTY] = {"none-plenty",
                                "no node has plenty of the cache"},
	[POLICY_HELD] = {"held", "moved too recently, the other way"},
	[POLICY_NO_RIGHT] = {"no-right", "CAP_SYS_NICE is missing"},
	[POLICY_NO_ROOM] = {"no-room", "no node has room for the page"},
	[POLICY_RATE] = {"rate", "enough moved for now"},
	[POLICY_TOO_DEAR] = {"too-dear", "costs more than it saves"},
	[POLICY_STUCK] = {"stuck", "the kernel refused the page lately"},
	[POLICY_AT_FLOOR] = {"at-floor",
                             "what is left is the configured floor"},
};

const char *policy_kind_name(enum policy_kind kind)
{
	return (unsigned)kind < POLICY_KINDS ? kinds[kind] : "unknown";
}

const char *policy_reason_name(enum policy_reason reason)
{
	return (unsigned)reason < POLICY_REASONS ? reasons[reason].name
	                                         : "unknown";
}

const char *policy_reason_text(enum policy_reason reason)
{
	return (unsigned)reason < POLICY_REASONS ? reasons[reason].text
	                                         : "unknown";
}

void policy_defaults(struct policy_config *config)
{
	*config = (struct policy_config){
		.lend_keep_slabs = 4,
		.lend_slabs_max = 8,
		.hold_ms = 2000,
		.hold_max_ms = 60000,
		.migrate_bytes = UINT64_C(64) << 20,
		.migrate_cost = 25,
		.keep_slabs = 2,
	};
}
