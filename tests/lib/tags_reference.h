/* SPDX-License-Identifier: MIT */
/* The tag at a time operations of shm/tags_narrow.c under other names, beside
 * those that the build has chosen. */
#ifndef TESTS_LIB_TAGS_REFERENCE_H
#define TESTS_LIB_TAGS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/tags_pass.h"

uint32_t tags_reference_claim(uint16_t *tags, uint32_t n, uint32_t from,
                              uint16_t id, uint32_t want, uint32_t *out);
uint32_t tags_reference_words(const uint16_t *tags, uint32_t n_words, bool down,
                              uint16_t owner);
uint32_t tags_reference_pass_words(uint16_t *tags, uint32_t n_words, bool down,
                                   uint16_t from, uint16_t to);
uint32_t tags_reference_known_words(uint16_t *tags, uint16_t *gens,
                                    uint32_t n_words, bool down, uint16_t own);
uint32_t tags_reference_run(const uint16_t *tags, uint32_t from, uint32_t n);
bool tags_reference_any(const uint16_t *tags, uint32_t n);
uint32_t tags_reference_count(const uint16_t *tags, uint32_t n);
uint32_t tags_reference_sweep(uint16_t *tags, uint16_t *gens, uint32_t n,
                              const struct tags_living *living,
                              uint32_t *by_id);

#endif
