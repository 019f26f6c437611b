/* SPDX-License-Identifier: MIT */
#include "tests/lib/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *map_zeros(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		perror("image: mmap");
		abort();
	}
	return at;
}

static void fill_in(struct image *image)
{
	const struct layout_geometry *geo = &image->view.geo;
	struct layout_head *head = image->control;
	struct layout_node *nodes = (void *)(uintptr_t)image->view.nodes;
	head->magic = LAYOUT_MAGIC;
	head->version = LAYOUT_VERSION;
	head->n_nodes = geo->n_nodes;
	head->n_cpus = geo->n_cpus;
	head->n_caches = geo->n_caches;
	head->n_ids = CLIENT_IDS;
	head->page_shift = geo->page_shift;
	head->n_units = geo->n_units;
	head->control_bytes = geo->control_bytes;
	head->shared_bytes = geo->shared_bytes;
	for (uint32_t i = 0; i < geo->n_nodes; i++) {
		nodes[i].os_id = i;
		nodes[i].n_units = geo->n_units / geo->n_nodes;
		nodes[i].first_unit = i * nodes[i].n_units;
		nodes[i].high_page = nodes[i].n_units >> 5;
		nodes[i].resident_pages = nodes[i].n_units >> 5;
	}
	for (uint64_t page = 0; page < geo->n_units >> 5; page++)
		((uint8_t *)(uintptr_t)image->view.pages)[page] = (uint8_t)(
		        1 + page / (geo->n_units / geo->n_nodes >> 5));
}

void image_make(struct image *image, uint32_t n_nodes, uint64_t n_units)
{
	struct layout_geometry geo = {
	        .n_nodes = n_nodes,
	        .n_cpus = 4,
	        .n_caches = IMAGE_CACHES,
	        .page_shift = 21,
	        .n_units = n_units,
	};
	if (layout_compute(&geo) < 0)
		abort();
	memset(image, 0, sizeof(*image));
	image->control = map_zeros(geo.control_bytes);
	image->shared = map_zeros(geo.shared_bytes);
	image->data = map_zeros(n_units << UNIT_SHIFT);
	view_init(&image->view, &geo, image->control, image->shared);
	fill_in(image);
}

void image_drop(struct image *image)
{
	const struct layout_geometry *geo = &image->view.geo;
	munmap(image->data, geo->n_units << UNIT_SHIFT);
	munmap(image->shared, geo->shared_bytes);
	munmap(image->control, geo->control_bytes);
}

struct layout_cache *image_row(struct image *image, uint32_t cache)
{
	return (void *)(uintptr_t)&image->view.caches[cache - 1];
}

uint32_t image_cache(struct image *image, uint64_t size, uint64_t align)
{
	struct layout_cache *row = image_row(image, ++image->n_caches);
	if (image->n_caches > IMAGE_CACHES ||
	    layout_fit_cache(21, size, align, row) < 0)
		abort();
	snprintf(row->name, sizeof(row->name), "c%u", image->n_caches);
	row->state = 1;
	return image->n_caches;
}

void image_carve(struct image *image, uint32_t head, uint32_t cache,
                 uint32_t home, uint32_t list)
{
	slab_carve_srv(&image->view, head, cache, home, list, image->n_lines);
	image->n_lines += slab_lines(image_row(image, cache));
}

void image_word(struct image *image, uint32_t unit, uint64_t word)
{
	((uint64_t *)(uintptr_t)image->view.words)[unit] = word;
}

void image_client(struct image *image, uint32_t id, enum client_state state)
{
	struct layout_client *rows = (void *)(uintptr_t)image->view.clients;
	atom_store(&rows[id].word, UINT64_C(1) << 8 | (uint64_t)state);
}

struct slab_user image_user(struct image *image, uint32_t id)
{
	return (struct slab_user){.view = &image->view,
	                          .data = image->data,
	                          .id = id,
	                          .epoch = 1};
}

void *image_object(struct image *image, uint32_t head, uint32_t ix)
{
	uint64_t word = image->view.words[head];
	const struct layout_cache *row = image_row(image, WORD_CACHE(word));
	return image->data + ((uint64_t)head << UNIT_SHIFT) +
	       slab_colour(row, head) + (uint64_t)ix * row->stride;
}
