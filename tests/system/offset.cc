/* SPDX-License-Identifier: MIT */
/*
 * Containers that several processes use, for test_offset.sh:
 *
 *   offset write           makes them, and is killed
 *   offset read ADDRESS    finds them, with the pool mapped elsewhere; changes them
 *   offset end             finds that, and ends them
 */
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <boost/container/deque.hpp>
#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/stable_vector.hpp>
#include <boost/container/string.hpp>
#include <boost/container/vector.hpp>
#include <boost/unordered_map.hpp>

#include "slabclient.hpp"

namespace {

struct orders; /* the heap's */
template <class T> using alloc = slabd::allocator<T, orders>;
using text = boost::container::basic_string<char, std::char_traits<char>,
                                            alloc<char>>;
using hash_map = boost::unordered_map<int, text, boost::hash<int>,
                                      std::equal_to<int>,
                                      alloc<std::pair<const int, text>>>;
using tree = boost::container::map<int, int, std::less<int>,
                                   alloc<std::pair<const int, int>>>;

struct book {
	hash_map by_number;
	tree levels;
	boost::container::list<int, alloc<int>> order;
	boost::container::vector<text, alloc<text>> names;
	std::vector<int, alloc<int>> counts;
	boost::container::deque<int, alloc<int>> both_ends;
	boost::container::stable_vector<int, alloc<int>> stays;
};

constexpr int many = 1000;

text text_of(int i)
{
	return text("an order with a text that does not fit into it, ") +=
	       std::to_string(i).c_str();
}

bool is_whole(const book &all, int step)
{
	std::size_t n = static_cast<std::size_t>((many + step - 1) / step);
	bool good = all.by_number.size() == n && all.levels.size() == n &&
	            all.order.size() == n && all.names.size() == many &&
	            all.counts.size() == many && all.both_ends.size() == many &&
	            all.stays.size() == many;
	for (int i = 0; good && i < many; i += step) {
		auto at = all.by_number.find(i);
		auto level = all.levels.find(i);
		good = at != all.by_number.end() && at->second == text_of(i) &&
		       level != all.levels.end() && level->second == 2 * i;
	}
	for (int i = 0; good && i < many; i++)
		good = all.names[static_cast<std::size_t>(i)] == text_of(i) &&
		       all.counts[static_cast<std::size_t>(i)] == i &&
		       all.both_ends[static_cast<std::size_t>(many - 1 - i)] == i &&
		       all.stays[static_cast<std::size_t>(i)] == i;
	for (int i : all.order)
		good = good && i % step == 0;
	return good;
}

void write(slabd::heap &heap)
{
	book &all = *heap.make<book>();
	for (int i = 0; i < many; i++) {
		all.by_number.emplace(i, text_of(i));
		all.levels[i] = 2 * i;
		all.order.push_back(i);
		all.names.push_back(text_of(i));
		all.counts.push_back(i);
		all.both_ends.push_front(i);
		all.stays.push_back(i);
	}
	std::cout << &all << std::endl;
	raise(SIGKILL);
}

/* Of the size of no other object here. */
struct thrown {
	char bytes[300000];
	thrown() { throw 7; }
};

bool leaves_nothing(slabd_pool *pool, slabd::heap &heap)
{
	bool threw = false;
	try {
		heap.make<thrown>();
	} catch (int) {
		threw = true;
	}
	const unsigned root = slabd_root_open(pool, "book");
	slabd_cache *cache = slabd_cache_open(pool, "heap-393216");
	int left = 0;
	const auto count = [](void *, void *n) {
		++*static_cast<int *>(n);
		return 0;
	};
	return threw && slabd_cache_each(cache, root, count, &left) == 0 &&
	       left == 0 && slabd_cache_close(cache) == 0;
}

void leave_each_second(book &all)
{
	for (int i = 1; i < many; i += 2) {
		all.by_number.erase(i);
		all.levels.erase(i);
	}
	all.order.remove_if([](int i) { return i % 2 != 0; });
}

/* Where the writer had it, this process has something else. */
void take_place(const char *address)
{
	void *at = reinterpret_cast<void *>(
		std::strtoull(address, nullptr, 16) & ~std::uint64_t{4095});
	if (mmap(at, 4096, PROT_NONE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		throw std::runtime_error("the place is taken");
}

bool run(int argc, char **argv)
{
	const std::string verb = argc > 1 ? argv[1] : "";
	if (argc > 2)
		take_place(argv[2]);
	slabd_pool *pool = slabd_open(nullptr, nullptr);
	if (pool == nullptr)
		throw std::runtime_error(slabd_last_error());
	bool good = true;
	{
		slabd::heap heap(pool, "book");
		slabd::use<orders>(heap);
		if (verb == "write")
			write(heap);
		book *all = heap.get<book>();
		if (all == nullptr)
			throw std::runtime_error(slabd_last_error());
		good = is_whole(*all, verb == "read" ? 1 : 2) &&
		       leaves_nothing(pool, heap);
		if (verb == "read") {
			leave_each_second(*all);
			good = good && is_whole(*all, 2);
		} else {
			all->~book();
			slabd_root_set(pool, "book", SLABD_NO_HANDLE);
		}
	}
	return slabd_close(pool) == 0 && good;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return run(argc, argv) ? 0 : 1;
	} catch (const std::exception &what) {
		std::cerr << what.what() << std::endl;
		return 2;
	}
}
