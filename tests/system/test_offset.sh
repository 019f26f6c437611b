#!/bin/sh
# SPDX-License-Identifier: MIT
# slabclient.hpp: containers of Boost that one process makes and is killed, another
# finds with the pool mapped elsewhere and changes, and a third one ends; and those
# that can't work do not compile. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
needs_library "a library with a sanitizer goes with few programs"

configure 64M 4M
start
use_library

# As they are installed: the library's own headers have names like the system's.
mkdir "$here/include" && cp "$srcdir"/client/slabclient*.h* "$here/include"

# build COMPILER FILE ARGUMENTS: without a warning.
build() {
	cxx=$1
	file=$2
	shift 2
	$cxx -std=c++17 -O1 -Wall -Wextra -pedantic -Wold-style-cast -Wshadow \
		-Werror -I"$here/include" -x c++ "$file" -x none "$@" \
		>"$here/out" 2>&1
}

# refuses COMPILER WHAT TEXT: a program that uses it does not compile, as it says.
refuses() {
	printf '#include "slabclient.hpp"\n#include <functional>
		template <class T> using alloc = slabd::allocator<T>;
		void f() { %s }\n' "$2" >"$here/bad.cc"
	build "$1" "$here/bad.cc" -fsyntax-only
	[ $? != 0 ] && grep -q "$3" "$here/out"
	result $? "$1: no ${2%%<*}"
}

for cxx in g++ clang++; do
	if ! command -v $cxx >/dev/null 2>&1; then
		skip "$cxx" "not installed"
		continue
	fi
	refuses $cxx 'std::list<int, alloc<int>> all; all.push_back(1);' \
		'links its nodes by raw pointers'
	refuses $cxx 'std::forward_list<int, alloc<int>> all; all.push_front(1);' \
		'links its nodes by raw pointers'
	refuses $cxx 'std::map<int, int, std::less<int>,
		alloc<std::pair<const int, int>>> all; all[1] = 2;' \
		'links its nodes by raw pointers'
	refuses $cxx 'std::unordered_map<int, int, std::hash<int>,
		std::equal_to<int>, alloc<std::pair<const int, int>>> all;
		all[1] = 2;' 'links its nodes by raw pointers'
	refuses $cxx 'slabd::allocator<int *> all; all.allocate(1);' \
		'raw pointers are another process'
	if [ ! -f /usr/include/boost/unordered_map.hpp ]; then
		skip "$cxx: containers of Boost" "libboost-dev is not installed"
		continue
	fi
	build $cxx "$srcdir/tests/system/offset.cc" -o "$here/offset" \
		-L"$lib" -lslabclient
	result $? "$cxx: containers of Boost, without a warning"
	at=$(timeout 60 "$here/offset" write 2>"$here/out")
	[ $? = 137 ] && [ -n "$at" ]
	result $? "a process fills them, and is killed"
	timeout 60 "$here/offset" read "$at" >"$here/out" 2>&1
	result $? "another has all of it, at other addresses, and changes it"
	timeout 60 "$here/offset" end >"$here/out" 2>&1
	result $? "a third one has what that left, and ends it"
	ctl roots >"$here/out" 2>&1 &&
		grep -q 'no roots' "$here/out"
	result $? "the root is gone"
done
audit "slabd's audit finds all in order"
finish
