/* SPDX-License-Identifier: MIT */
/*
 * C++17 containers that several processes use and that outlive them: offset pointers,
 * an allocator, and what it takes its memory from.
 *
 *     struct orders;                                         names a heap in the program
 *     using map = boost::unordered_map<int, int, boost::hash<int>, std::equal_to<int>,
 *             slabd::allocator<std::pair<const int, int>, orders>>;
 *
 *     slabd::heap heap(pool, "orders");                      a root, see slabclient_root.h
 *     slabd::use<orders>(heap);
 *     map *all = heap.get<map>();                            of a life before this one
 *     if (all == nullptr)
 *             all = heap.make<map>();
 *
 * Containers that keep the allocator's pointers work: those of Boost.Container,
 * Boost.Unordered, Boost.Intrusive, and std::vector. Those of libstdc++ that link their
 * nodes by raw pointers (std::map, std::set, std::list, std::forward_list,
 * std::unordered_map) do not compile; neither does a container of raw pointers.
 *
 * What several processes change at the same time they lock, by a robust mutex that is
 * PTHREAD_PROCESS_SHARED and lies beside the container, for example.
 *
 * When a writer is killed. What it had put in stays: all memory of the heap is the
 * root's, never the writer's. An operation in the middle of which it died leaves the
 * container as it was at that instruction, which may be neither before nor after, and
 * memory that nothing leads to. No allocator can tell. So note before a change, beside
 * the container, that one is under way, and after it that it is over (a robust mutex
 * does: its next owner gets EOWNERDEAD); who finds one under way makes the container
 * anew from what is known elsewhere, or ends the root and begins again. A change that is
 * to be whole or not at all: make a new object, and set the root to it.
 */
#ifndef SLABCLIENT_HPP
#define SLABCLIENT_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "slabclient.h"

#ifdef __GLIBCXX__
#include <forward_list>
#include <list>
#include <map>
#include <unordered_map>
#endif

namespace slabd {

/* ---- pointers -------------------------------------------------------------- */

/*
 * A pointer that lies in a pool's data and points there: it keeps how far away that
 * is, which is the same in each process, wherever that has the pool. Copied elsewhere,
 * to the stack, it points to the same place. Zeroed memory is none.
 */
template <class T> class offset_ptr {
	static constexpr std::intptr_t none = 1; /* what lies at itself is 0 */
	std::intptr_t far_ = none;

	static std::intptr_t number(const volatile void *p) noexcept
	{
		return static_cast<std::intptr_t>(
			reinterpret_cast<std::uintptr_t>(p));
	}
	void set(const volatile void *p) noexcept
	{
		far_ = p == nullptr ? none
		                    : static_cast<std::intptr_t>(
					      static_cast<std::uintptr_t>(
						      number(p)) -
					      static_cast<std::uintptr_t>(
						      number(this)));
	}
	template <class U>
	using if_converts =
		std::enable_if_t<std::is_convertible_v<U *, T *>, int>;
	template <class U>
	using if_casts =
		std::enable_if_t<!std::is_convertible_v<U *, T *> &&
	                                 std::is_void_v<decltype(static_cast<void>(
						 static_cast<T *>(
							 std::declval<U *>())))>,
	                         int>;

public:
	using element_type = T;
	using value_type = std::remove_cv_t<T>;
	using pointer = T *;
	/* Of void it is some reference: Boost names it, and never has one. */
	using reference = std::add_lvalue_reference_t<
		std::conditional_t<std::is_void_v<T>, char, T>>;
	using difference_type = std::ptrdiff_t;
	using iterator_category = std::random_access_iterator_tag;
	template <class U> using rebind = offset_ptr<U>;

	offset_ptr() noexcept = default;
	offset_ptr(T *p) noexcept { set(p); }
	offset_ptr(const offset_ptr &other) noexcept { set(other.get()); }
	template <class U, if_converts<U> = 0>
	offset_ptr(const offset_ptr<U> &other) noexcept
	{
		set(static_cast<T *>(other.get()));
	}
	template <class U, if_casts<U> = 0>
	explicit offset_ptr(const offset_ptr<U> &other) noexcept
	{
		set(static_cast<T *>(other.get()));
	}
	~offset_ptr() = default;

	offset_ptr &operator=(const offset_ptr &other) noexcept
	{
		set(other.get());
		return *this;
	}
	offset_ptr &operator=(T *p) noexcept
	{
		set(p);
		return *this;
	}

	T *get() const noexcept
	{
		if (far_ == none)
			return nullptr;
		return reinterpret_cast<T *>(
			static_cast<std::uintptr_t>(number(this)) +
			static_cast<std::uintptr_t>(far_));
	}
	template <class U = T> std::add_lvalue_reference_t<U> operator*() const
	{
		return *get();
	}
	T *operator->() const noexcept { return get(); }
	template <class U = T>
	std::add_lvalue_reference_t<U> operator[](difference_type n) const
	{
		return get()[n];
	}
	explicit operator bool() const noexcept { return far_ != none; }
	bool operator!() const noexcept { return far_ == none; }

	template <class U = T>
	static offset_ptr pointer_to(std::add_lvalue_reference_t<U> object) noexcept
	{
		return offset_ptr(std::addressof(object));
	}

	offset_ptr &operator+=(difference_type n) noexcept
	{
		set(get() + n);
		return *this;
	}
	offset_ptr &operator-=(difference_type n) noexcept
	{
		set(get() - n);
		return *this;
	}
	offset_ptr &operator++() noexcept { return *this += 1; }
	offset_ptr &operator--() noexcept { return *this -= 1; }
	offset_ptr operator++(int) noexcept
	{
		offset_ptr was(*this);
		*this += 1;
		return was;
	}
	offset_ptr operator--(int) noexcept
	{
		offset_ptr was(*this);
		*this -= 1;
		return was;
	}
	friend offset_ptr operator+(offset_ptr p, difference_type n) noexcept
	{
		return p += n;
	}
	friend offset_ptr operator+(difference_type n, offset_ptr p) noexcept
	{
		return p += n;
	}
	friend offset_ptr operator-(offset_ptr p, difference_type n) noexcept
	{
		return p -= n;
	}
	friend difference_type operator-(const offset_ptr &a,
	                                 const offset_ptr &b) noexcept
	{
		return a.get() - b.get();
	}
	friend bool operator==(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return a.get() == b.get();
	}
	friend bool operator!=(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return a.get() != b.get();
	}
	friend bool operator<(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return a.get() < b.get();
	}
	friend bool operator>(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return b < a;
	}
	friend bool operator<=(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return !(b < a);
	}
	friend bool operator>=(const offset_ptr &a, const offset_ptr &b) noexcept
	{
		return !(a < b);
	}
	friend bool operator==(const offset_ptr &p, std::nullptr_t) noexcept
	{
		return !p;
	}
	friend bool operator==(std::nullptr_t, const offset_ptr &p) noexcept
	{
		return !p;
	}
	friend bool operator!=(const offset_ptr &p, std::nullptr_t) noexcept
	{
		return static_cast<bool>(p);
	}
	friend bool operator!=(std::nullptr_t, const offset_ptr &p) noexcept
	{
		return static_cast<bool>(p);
	}
};

/* ---- memory ---------------------------------------------------------------- */

/*
 * Memory of a root: what is allocated here is the root's, and stays as its user ends. In
 * caches of the pool, two sizes to a doubling, from 32 bytes to a pool's page. A
 * deallocation asks slabd to have the object back. One such object in each process;
 * any thread may use it. It throws std::runtime_error, with slabd's line, and
 * std::bad_alloc.
 */
class heap {
	static constexpr std::size_t least = 32, classes = 34, aligned = 64;
	slabd_pool *pool_;
	unsigned root_ = 0;
	std::array<char, SLABD_NAME_MAX + 1> name_{};
	std::mutex lock_;
	std::array<slabd_cache *, classes> caches_{};

	/* 32, 48, 64, 96 ... */
	static constexpr std::size_t size_of(std::size_t ix) noexcept
	{
		return (least + (ix % 2) * (least / 2)) << (ix / 2);
	}
	static std::size_t class_of(std::size_t bytes, std::size_t align)
	{
		std::size_t ix = 0;
		while (ix < classes && (size_of(ix) < bytes ||
		                        (align > 16 && (ix % 2 != 0 ||
		                                        size_of(ix) < align))))
			ix++;
		if (ix == classes || align > aligned)
			throw std::bad_alloc();
		return ix;
	}
	slabd_cache *cache_of(std::size_t ix)
	{
		std::lock_guard<std::mutex> hold(lock_);
		std::array<char, 24> name{};
		std::size_t align = size_of(ix) < aligned ? 16 : aligned;
		if (caches_[ix] != nullptr)
			return caches_[ix];
		std::snprintf(name.data(), name.size(), "heap-%zu", size_of(ix));
		caches_[ix] = slabd_cache_create(pool_, name.data(), size_of(ix),
		                                 ix % 2 != 0 ? 16 : align, 0);
		if (caches_[ix] == nullptr)
			throw std::bad_alloc();
		return caches_[ix];
	}
	static void check(bool good)
	{
		if (!good)
			throw std::runtime_error(slabd_last_error());
	}

public:
	heap(slabd_pool *pool, const char *root) : pool_(pool)
	{
		root_ = slabd_root_open(pool, root);
		check(root_ != 0);
		std::snprintf(name_.data(), name_.size(), "%s", root);
	}
	heap(const heap &) = delete;
	heap &operator=(const heap &) = delete;
	~heap()
	{
		for (slabd_cache *cache : caches_)
			if (cache != nullptr)
				slabd_cache_close(cache);
	}

	void *allocate(std::size_t bytes, std::size_t align)
	{
		slabd_cache *cache = cache_of(class_of(bytes, align));
		void *at = slabd_alloc(cache);
		if (at == nullptr)
			throw std::bad_alloc();
		if (slabd_give(pool_, at, root_) == 0)
			return at;
		slabd_free(cache, at);
		throw std::bad_alloc();
	}

	/* What can't be had back, as slabd is gone, stays the root's. */
	void deallocate(void *at, std::size_t bytes, std::size_t align) noexcept
	{
		try {
			slabd_cache *cache = cache_of(class_of(bytes, align));
			void *own = slabd_take(pool_,
			                       slabd_handle_of(pool_, at));
			if (own != nullptr)
				slabd_free(cache, own);
		} catch (const std::bad_alloc &) {
			return;
		}
	}

	/* What the root names, or nullptr; the program knows what it is. */
	template <class T> T *get()
	{
		slabd_handle handle = slabd_root_get(pool_, name_.data());
		return handle == SLABD_NO_HANDLE
		               ? nullptr
		               : static_cast<T *>(slabd_pointer(pool_, handle));
	}

	/* Makes an object, and has the root name it; what it named before is a gift
	 * to this client. Where that throws nothing is left. */
	template <class T, class... Args> T *make(Args &&...args)
	{
		struct undo {
			heap *from;
			void *at;
			T *object;
			~undo()
			{
				if (object != nullptr)
					object->~T();
				if (at != nullptr)
					from->deallocate(at, sizeof(T),
					                 alignof(T));
			}
		} made{this, allocate(sizeof(T), alignof(T)), nullptr};
		T *object = ::new (made.at) T(std::forward<Args>(args)...);
		made.object = object;
		check(slabd_root_set(pool_, name_.data(),
		                     slabd_handle_of(pool_, made.at)) == 0);
		made.object = nullptr;
		made.at = nullptr;
		return object;
	}
};

/* Which heap the allocators of a tag take from, in this process. */
template <class Tag> struct used {
	static inline heap *at = nullptr;
};
template <class Tag> void use(heap &from) noexcept
{
	used<Tag>::at = &from;
}

/* ---- the allocator --------------------------------------------------------- */

namespace detail {
/* Nodes whose links are raw pointers. */
template <class T> struct links_raw : std::false_type {};
#ifdef __GLIBCXX__
template <class T> struct links_raw<std::_List_node<T>> : std::true_type {};
template <class T> struct links_raw<std::_Fwd_list_node<T>> : std::true_type {};
template <class T> struct links_raw<std::_Rb_tree_node<T>> : std::true_type {};
template <class T, bool B>
struct links_raw<std::__detail::_Hash_node<T, B>> : std::true_type {};
#endif
} // namespace detail

/* Keeps nothing: all of a tag are alike. */
template <class T, class Tag = void> class allocator {
	static_assert(!detail::links_raw<T>::value,
	              "this container links its nodes by raw pointers, which are "
	              "another process's: use one of Boost.Container or "
	              "Boost.Unordered");

public:
	using value_type = T;
	using pointer = offset_ptr<T>;
	using const_pointer = offset_ptr<const T>;
	using void_pointer = offset_ptr<void>;
	using const_void_pointer = offset_ptr<const void>;
	using size_type = std::size_t;
	using difference_type = std::ptrdiff_t;
	using is_always_equal = std::true_type;
	template <class U> struct rebind {
		using other = allocator<U, Tag>;
	};

	allocator() noexcept = default;
	template <class U> allocator(const allocator<U, Tag> &) noexcept {}

	pointer allocate(size_type n)
	{
		static_assert(!std::is_pointer_v<T>,
		              "raw pointers are another process's: use "
		              "slabd::offset_ptr");
		if (used<Tag>::at == nullptr || n > SIZE_MAX / sizeof(T))
			throw std::bad_alloc();
		return pointer(static_cast<T *>(
			used<Tag>::at->allocate(n * sizeof(T), alignof(T))));
	}
	void deallocate(pointer at, size_type n) noexcept
	{
		used<Tag>::at->deallocate(at.get(), n * sizeof(T), alignof(T));
	}
	friend bool operator==(const allocator &, const allocator &) noexcept
	{
		return true;
	}
	friend bool operator!=(const allocator &, const allocator &) noexcept
	{
		return false;
	}
};

} // namespace slabd

#endif
