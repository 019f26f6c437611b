#!/bin/sh
# SPDX-License-Identifier: MIT
# Atomic accesses go through shm/atom.h and shm/atom_pair.h; the one peek and the two relaxed stores
# of client/slabclient_hit.h are the exception, as users do not
# have atom.h; so are a look, two stores and a fence of the compiler of
# client/slabclient_objpool_hit.h, and the examples, as programs of users. Each
# ordered operation (load_acquire, store_release, cas, publish, publish_pair, set, clear, swap, fence, fence_done)
# names its partner, "pairs: function", on its line or on one of the two above
# it, and that function is in the code. load, store and add are relaxed.
. "$(dirname "$0")/lint.sh"

look() {
	# Twice over the files: first every function of the code is noted.
	all=$(sources)
	[ -n "$all" ] || return
	# shellcheck disable=SC2086
	awk "$lint_awk"'
	BEGIN {
		bare = "(memory_order_|__ATOMIC_|__atomic_|__sync_|" \
			"stdatomic[.]h|(^|[^A-Za-z0-9_])_Atomic)"
		ordered = "(^|[^a-z_])atom_(load_acquire|store_release|cas|" \
			"publish|publish_pair|set|clear|swap|fence|fence_done)[ \t]*[(]"
	}
	{ split_line($0) }
	pass == 1 {
		line = code
		while (match(line, /[A-Za-z_][A-Za-z0-9_]*[(]/)) {
			known[substr(line, RSTART, RLENGTH - 1)] = 1
			line = substr(line, RSTART + RLENGTH)
		}
		next
	}
	FNR == 1 { note1 = note2 = ""; peeks = pokes = pools = 0 }
	FILENAME !~ /^shm\/atom(_pair)?[.]h$/ && FILENAME !~ /^client\/examples\// &&
	($0 ~ /^[ \t]*#/ ? $0 : code) ~ bare {
		if (FILENAME == "client/slabclient_objpool_hit.h" &&
		    ++pools <= 4)
			next
		if (FILENAME != "client/slabclient_hit.h" ||
		    code !~ /__atomic_load_n|^[ \t]*__ATOMIC_RELAXED[)];$/ &&
		    code !~ /__atomic_store_n[(].*__ATOMIC_RELAXED[)];$/ ||
		    (code ~ /__atomic_load_n/ && ++peeks > 1) ||
		    (code ~ /__atomic_store_n/ && ++pokes > 2))
			found("bare atomic: use an operation of shm/atom.h")
	}
	FILENAME !~ /^shm\/atom(_pair)?[.]h$/ && code ~ ordered {
		text = note2 " " note1 " " note
		if (!match(text, /pairs:[ \t]*/)) {
			found("an ordered access that names no partner")
		} else {
			text = substr(text, RSTART + RLENGTH)
			match(text, /^[A-Za-z0-9_]*/)
			if (substr(text, 1, RLENGTH) ~ /^atom_/ ||
			    !(substr(text, 1, RLENGTH) in known))
				found("pairs with \"" substr(text, 1, 30) \
					"\", which is no function here")
		}
	}
	{ note2 = note1; note1 = note }' pass=1 $all pass=2 $all
}

while read -r path line; do
	echo "$line" | sample "$path"
	names "$path with $line" "^$path:1: "
done <<'EOT'
shm/a.c	n = __atomic_load_n(p, __ATOMIC_RELAXED);
shm/a.c	atomic_load_explicit(p, memory_order_acquire);
client/a.h #include <stdatomic.h>
tests/a.c	__sync_synchronize();
client/slabclient_hit.h	__atomic_store_n(p, 1, __ATOMIC_RELEASE);
shm/a.c	w = atom_load_acquire(p);
client/a.c	if (atom_cas(&lock, &none, 1u))
client/a.c	atom_publish(&base, &none, own);
shm/a.c	return (atom_set(&wants[i], bit) & bit) == 0;
shm/a.c	atom_clear(&list->sum[0], bit);
daemon/balance/a.c	one = carve(pool, atom_swap(want, 0));
tests/a.h	atom_fence();
record/a.c	done = atom_publish_pair(slot, empty, event);
shm/a.c	atom_fence(); /* what was stored comes before */
shm/a.c	atom_store_release(p, 1); /* pairs: */
shm/a.c	atom_store_release(p, 1); /* pairs: nobody_of_this_name */
shm/a.c	atom_store_release(p, 1); /* pairs: atom_load_acquire */
EOT
for operation in cas publish set clear swap fence; do
	printf '/* pairs: a_variable */\natom_%s(&a_variable);\n' $operation |
		sample shm/a.c
	names "atom_$operation with a partner that is no function" \
		'^shm/a.c:2: pairs with "a_variable'
done
printf 'a = __atomic_load_n(p,\n\t__ATOMIC_RELAXED);\n%s\n' \
	'b = __atomic_load_n(q, __ATOMIC_RELAXED);' | sample client/slabclient_hit.h
names "a second peek in the public header" '^client/slabclient_hit.h:3: '
for n in 1 2 3; do
	echo "__atomic_store_n(&m, $n, __ATOMIC_RELAXED);"
done | sample client/slabclient_hit.h
names "a third store in the public header" '^client/slabclient_hit.h:3: '
printf '/* pairs: a_put */\n\n\nw = atom_load_acquire(p);\nint a_put(void);\n' |
	sample shm/a.c
names "a partner named three lines above" '^shm/a.c:4: '

for n in 1 2 3 4 5; do
	echo "__atomic_signal_fence(__ATOMIC_SEQ_CST); /* $n */"
done | sample client/slabclient_objpool_hit.h
names "a fifth access of object pools in the public header" \
	'^client/slabclient_objpool_hit.h:5: '
printf 'a = __atomic_load_n(p,\n\t__ATOMIC_RELAXED);\n' |
	sample client/slabclient_hit.h
passes "the one peek in the public header"
for n in 1 2; do
	echo "__atomic_store_n(&m, $n, __ATOMIC_RELAXED);"
done | sample client/slabclient_hit.h
passes "the two relaxed stores in the public header"
printf '/* pairs: a_put */\nif (x)\n\tw = atom_load_acquire(p);\nint a_put(void);\n' |
	sample shm/a.c
passes "a partner named two lines above"
for operation in cas publish set clear swap fence; do
	printf '/* pairs: a_put */\natom_%s(&a);\nint a_put(void);\n' \
		$operation | sample shm/a.c
	passes "atom_$operation that names its partner"
done
for operation in load store add; do
	echo "atom_$operation(p, 1);" | sample shm/a.c
	passes "a relaxed atom_$operation"
done
echo '#define atom_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)' |
	sample shm/atom.h
passes "shm/atom.h"
finish "every atomic access is a named operation and every pair is named"
