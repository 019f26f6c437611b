#!/bin/sh
# SPDX-License-Identifier: MIT
# What a function may fail with, headers and manual (section 3) say alike, function by
# function, and tests/lint/errors.txt names for each the test that provokes it, or
# why none does: "function errno file", or "function errno - reason". ENOTCONN
# after fork stands in the manual once, for all functions. All that is installed
# counts: client/slabclient*.h and man/*.3.
. "$(dirname "$0")/lint.sh"

# "function errno" of the header: from the comment before its declaration.
declared() {
	awk '
	/^\/\*/ { text = ""; inside = 1 }
	inside { text = text " " $0; if (/\*\//) inside = 0; next }
	/^(static inline|[a-z])/ && match($0, /slabd_[a-z_]*[a-z]\(/) {
		name = substr($0, RSTART, RLENGTH - 1)
		rest = text " "
		while (match(rest, /[^A-Za-z_]E[A-Z0-9]+[^A-Za-z_]/)) {
			print name, substr(rest, RSTART + 1, RLENGTH - 2)
			rest = substr(rest, RSTART + RLENGTH - 1)
		}
	}' client/slabclient*.h | LC_ALL=C sort -u
}

# The same of the manual. Functions stand before a list, or after an item of it,
# up to a colon, where they have that error alone. "*": no function does.
described() {
	awk '
	function flush(    i, k) {
		for (i = 0; i < n_errors; i++) {
			for (k = 0; k < n_own; k++)
				print own[k], errors[i]
			for (k = 0; n_own == 0 && k < n_all; k++)
				print all[k], errors[i]
			if (n_own + n_all == 0)
				print "*", errors[i]
		}
		n_errors = n_own = 0
	}
	FNR == 1 { on = in_list = n_all = 0 }
	/^\.Sh / { on = /^\.Sh ERRORS/; next }
	!on { next }
	/^\.Bl/ { in_list = 1; next }
	/^\.El/ { flush(); in_list = n_all = 0; next }
	/^\.It Bq Er/ {
		flush()
		for (i = 4; i <= NF; i++)
			if ($i ~ /^E[A-Z0-9]+$/)
				errors[n_errors++] = $i
		head = 1
		n_maybe = 0
		next
	}
	/^\.Fn / && !in_list { all[n_all++] = $2; next }
	/^\.Fn / && head {
		maybe[n_maybe++] = $2
		if ($NF == ":") {
			for (i = 0; i < n_maybe; i++)
				own[n_own++] = maybe[i]
			head = 0
		}
		next
	}
	$0 != "and" { head = 0 }' man/*.3 | LC_ALL=C sort -u
}

# The table, with comments and empty lines taken out.
rows() { sed 's/#.*//; /^[ \t]*$/d' tests/lint/errors.txt; }

look() {
	list=$samples.list
	declared >"$list.h"
	described >"$list.m"
	grep -q '^\* ENOTCONN$' "$list.m" ||
		echo "man/slabclient.3:1: says nothing of ENOTCONN after fork"
	LC_ALL=C comm -23 "$list.h" "$list.m" | grep -v ' ENOTCONN$' |
		sed 's|^|man/slabclient.3:1: the header alone has: |'
	LC_ALL=C comm -13 "$list.h" "$list.m" | grep -v '^\*' |
		sed 's|^|client/slabclient.h:1: the manual alone has: |'
	rows | awk '{ print $1, $2 }' | LC_ALL=C sort >"$list.t"
	LC_ALL=C comm -23 "$list.h" "$list.t" |
		sed 's|^|tests/lint/errors.txt:1: no test and no reason: |'
	LC_ALL=C comm -13 "$list.h" "$list.t" |
		sed 's|^|tests/lint/errors.txt:1: the header has not, or once: |'
	rows | while read -r name error file reason; do
		if [ "$file" = - ]; then
			[ -n "$reason" ] && continue
			echo "tests/lint/errors.txt:1: no reason: $name $error"
		elif ! grep -q "$name" "$file" 2>/dev/null ||
			! grep -q "$error" "$file"; then
			echo "tests/lint/errors.txt:1: $file has no" \
				"$name with $error"
		fi
	done
	rm -f "$list".*
}

header='/* Errors: EINVAL no such thing, ENOTCONN in a
 * forked child. */
int slabd_poll(slabd_pool *pool);'
page='.Sh ERRORS
After fork:
.It Bq Er ENOTCONN
.El
.Fn slabd_poll :
.Bl
.It Bq Er EINVAL
No such thing.
.El'
table='slabd_poll EINVAL tests/a.c
slabd_poll ENOTCONN - it is said once'

# tree PAGE HEADER TABLE
tree() {
	echo "$1" | sample man/slabclient.3
	mkdir -p "$samples/client" "$samples/tests/lint"
	echo "$2" >"$samples/client/slabclient.h"
	echo "$3" >"$samples/tests/lint/errors.txt"
	echo 'fails(slabd_poll(pool) < 0, EINVAL)' >"$samples/tests/a.c"
}
tree "$page" "$header" "$table"
passes "lists that are alike"
tree "$page" "$(echo "$header" | sed 's/EINVAL/ESRCH, EINVAL/')" "$table"
names "an error that the manual lacks" 'header alone has: slabd_poll ESRCH$'
names "an error without a test" 'no reason: slabd_poll ESRCH$'
tree "$page" "$(echo "$header" | sed 's/EINVAL/what is/')" "$table"
names "an error that the header lacks" 'manual alone has: slabd_poll EINVAL$'
names "a row too many" 'has not, or once: slabd_poll EINVAL$'
tree "$(echo "$page" | sed 's/No such thing./.Fn slabd_flush :/')" "$header" \
	"$table"
names "an error of another function" 'manual alone has: slabd_flush EINVAL$'
names "and that it is not this one's" 'header alone has: slabd_poll EINVAL$'
tree "$page" "$header" "$(echo "$table" | sed 's/ it is said once//')"
names "no reason" 'no reason: slabd_poll ENOTCONN$'
tree "$page" "$header" "$(echo "$table" | sed 's/- it.*/tests\/a.c/')"
names "a test that does not have it" 'no slabd_poll with ENOTCONN$'
tree "$(echo "$page" | sed '/ENOTCONN/d')" "$header" "$table"
names "a manual without fork" 'nothing of ENOTCONN after fork$'
finish "header, manual and tests have the same errors"
