/* SPDX-License-Identifier: MIT */
/*
 * A pool in anonymous memory, without slabd: its tables are laid out as
 * layout_compute says and its rows are written by the test.
 */
#ifndef TESTS_LIB_IMAGE_H
#define TESTS_LIB_IMAGE_H

#include "shm/slab.h"
#include "shm/view.h"

#define IMAGE_CACHES 4u

struct image {
	struct view view;
	void *control;
	char *shared;
	char *data;
	uint32_t n_lines; /* tag lines given to slabs so far */
	uint32_t n_caches;
};

/* Pages of 2 MiB, all of them ready; nodes share the units equally. */
void image_make(struct image *image, uint32_t n_nodes, uint64_t n_units);
void image_drop(struct image *image);

/* Adds a cache; its id. */
uint32_t image_cache(struct image *image, uint64_t size, uint64_t align);

/* The writable row of a cache. */
struct layout_cache *image_row(struct image *image, uint32_t cache);

/* Carves a slab of fresh tag lines. */
void image_carve(struct image *image, uint32_t head, uint32_t cache,
                 uint32_t home, uint32_t list);

/* Writes a unit word, the way only slabd may. */
void image_word(struct image *image, uint32_t unit, uint64_t word);

/* Sets the state of a client id. */
void image_client(struct image *image, uint32_t id, enum client_state state);

/* A client of the image. */
struct slab_user image_user(struct image *image, uint32_t id);

/* The address of an object. */
void *image_object(struct image *image, uint32_t head, uint32_t ix);

#endif
