# SPDX-License-Identifier: MIT
# Unit tests of shm/, of the client's depot and of the daemon's books.
unit_tests += tests/test_layout
tests_test_layout_SOURCES = tests/test_layout.c tests/dice.h
unit_tests += tests/test_tags
tests_test_tags_SOURCES = tests/test_tags.c tests/tags_reference.c \
	tests/tags_reference.h tests/dice.h tests/gate.h
image = tests/image.c tests/image.h tests/dice.h tests/gate.h
unit_tests += tests/test_partial
tests_test_partial_SOURCES = tests/test_partial.c $(image)
unit_tests += tests/test_slab
tests_test_slab_SOURCES = tests/test_slab.c $(image)
unit_tests += tests/test_slab_lend
tests_test_slab_lend_SOURCES = tests/test_slab_lend.c $(image)
unit_tests += tests/test_slab_race
tests_test_slab_race_SOURCES = tests/test_slab_race.c $(image)
unit_tests += tests/test_audit
tests_test_audit_SOURCES = tests/test_audit.c $(image)
unit_tests += tests/test_runmap
tests_test_runmap_SOURCES = tests/test_runmap.c tests/dice.h
unit_tests += tests/test_depot
tests_test_depot_SOURCES = tests/test_depot.c tests/dice.h tests/gate.h
tests_test_depot_LDADD = $(client_test_libs)
pool_bed = tests/pool_bed.c tests/pool_bed.h
unit_tests += tests/test_cachetab tests/test_ident
tests_test_cachetab_SOURCES = tests/test_cachetab.c $(pool_bed)
tests_test_ident_SOURCES = tests/test_ident.c $(pool_bed)
unit_tests += tests/test_hotplug
tests_test_hotplug_SOURCES = tests/test_hotplug.c $(pool_bed)
unit_tests += tests/test_balance
tests_test_balance_SOURCES = tests/test_balance.c $(pool_bed)
unit_tests += tests/test_balance_look
tests_test_balance_look_SOURCES = tests/test_balance_look.c $(pool_bed)
unit_tests += tests/test_pagebook
tests_test_pagebook_SOURCES = tests/test_pagebook.c $(pool_bed)
unit_tests += tests/test_growth
tests_test_growth_SOURCES = tests/test_growth.c $(pool_bed)
policy_bed = tests/policy_bed.c tests/policy_bed.h
unit_tests += tests/test_policy
tests_test_policy_SOURCES = tests/test_policy.c $(policy_bed)
unit_tests += tests/test_policy_lend
tests_test_policy_lend_SOURCES = tests/test_policy_lend.c tests/dice.h \
	$(policy_bed)
unit_tests += tests/test_policy_random
tests_test_policy_random_SOURCES = tests/test_policy_random.c \
	tests/policy_apply.c tests/policy_look.c tests/policy_model.c \
	tests/policy_model.h tests/dice.h
