// SPDX-License-Identifier: MIT
#include "tests/bench/who.h"

#include <boost/interprocess/allocators/cached_node_allocator.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unistd.h>

namespace bi = boost::interprocess;
using segment_type = bi::managed_shared_memory;
using manager = segment_type::segment_manager;

__thread who_boost *who_boost_mine[WHO_BOOST_CACHES];
char *who_boost_base;

static segment_type *segment;
static char name[64];
static unsigned my_side, n_caches;
static size_t sizes[WHO_BOOST_CACHES];

/* Room for 131,072 of the largest objects; only what is touched exists. */
static const size_t segment_bytes = size_t{512} << 20;
static const std::size_t nodes_a_block = 64;

template <size_t Bytes> struct node : who_boost {
	struct object {
		alignas(16) char bytes[Bytes];
	};
	using allocator =
	        bi::cached_node_allocator<object, manager, nodes_a_block>;
	allocator nodes{segment->get_segment_manager()};

	void *alloc() override
	{
		return nodes.allocate_one().get();
	}

	void drop(void *object_at) override
	{
		nodes.deallocate_one(static_cast<object *>(object_at));
	}
};

struct plain : who_boost {
	size_t bytes;

	explicit plain(size_t n) : bytes(n)
	{
	}

	void *alloc() override
	{
		return segment->allocate(bytes);
	}

	void drop(void *object) override
	{
		segment->deallocate(object);
	}
};

static who_boost *make(size_t bytes)
{
	if (std::strcmp(who_name(), "boost-alloc") == 0)
		return new plain(bytes);
	switch (bytes) {
	case 64:
		return new node<64>;
	case 96:
		return new node<96>;
	case 256:
		return new node<256>;
	case 1024:
		return new node<1024>;
	default:
		return nullptr;
	}
}

extern "C" {

int who_early(const struct work_job *)
{
	std::snprintf(name, sizeof(name), "slabd-bench-%d", (int)getpid());
	return 0;
}

int who_open(const struct work_job *, unsigned side)
{
	my_side = side;
	try {
		if (side == 0)
			segment = new segment_type(bi::create_only, name,
			                           segment_bytes);
		else
			segment = new segment_type(bi::open_only, name);
	} catch (const bi::interprocess_exception &error) {
		return work_fail(error.what());
	}
	who_boost_base = static_cast<char *>(segment->get_address());
	return 0;
}

struct who_cache *who_make(size_t bytes, uint64_t)
{
	if (n_caches == WHO_BOOST_CACHES)
		return nullptr;
	sizes[n_caches] = bytes;
	return new who_cache{n_caches++};
}

int who_thread(unsigned)
{
	for (unsigned i = 0; i < n_caches; i++) {
		who_boost_mine[i] = make(sizes[i]);
		if (who_boost_mine[i] == nullptr)
			return work_fail("no template of this size");
	}
	return 0;
}

void who_close(void)
{
	if (my_side == 0)
		bi::shared_memory_object::remove(name);
}

} /* extern "C" */

const char *who_name(void)
{
	const char *given = std::getenv("BENCH_NAME");
	return given != nullptr ? given : "boost-node";
}
