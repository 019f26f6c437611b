/* SPDX-License-Identifier: MIT */
#include "tests/lib/tags_reference.h"

#define tags_claim_own tags_reference_claim
#define tags_pass_words_own tags_reference_pass_words
#define tags_free_known_words_own tags_reference_known_words
#define tags_words_of tags_reference_words
#define tags_any_free tags_reference_any
#define tags_run tags_reference_run
#define tags_count_free tags_reference_count
#define tags_sweep_srv tags_reference_sweep
#include "shm/tags_narrow.c"
