#!/bin/sh
# SPDX-License-Identifier: MIT
# Functions of 60 lines, .c files of 500 and headers of 200 at the most; the
# two headers that are mostly a contract in comments may have 340.
. "$(dirname "$0")/lint.sh"

look() {
	sources | xargs -r awk "$lint_awk"'
	function end_of_file() {
		if (last != "" && lines > most)
			printf "%s:%d: %d lines, at most %d\n", last, lines,
				lines, most
	}
	FNR == 1 {
		end_of_file()
		last = FILENAME
		most = FILENAME ~ /[.]c$/ ? 500 : 200
		if (FILENAME ~ /^(client\/slabclient|shm\/layout)[.]h$/)
			most = 340
	}
	{ lines = FNR; at_body($0) }
	/^\}/ && in_body {
		if (FNR - in_body + 1 > 60)
			found("function of " FNR - in_body + 1 \
				" lines, at most 60")
		in_body = 0
	}
	END { end_of_file() }'
}

# lines N: that many.
lines() {
	i=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		echo "	x++;"
	done
}

{ printf 'void f(void)\n{\n'; lines 59; echo '}'; } | sample shm/a.c
names "a function of 61 lines" '^shm/a.c:62: function of 61'
{ printf 'Test(a, b) {\n'; lines 70; echo '}'; } | sample tests/a.c
names "a test of 72 lines" '^tests/a.c:72: function of 72'
{ printf 'void f(void)\n{\n'; lines 58; echo '}'; } | sample shm/a.c
passes "a function of 60 lines"
lines 501 | sample daemon/a.c
names "a file of 501 lines" '^daemon/a.c:501: 501 lines'
lines 201 | sample numa/a.h
names "a header of 201 lines" '^numa/a.h:201: 201 lines'
lines 340 | sample client/slabclient.h
passes "the public header with 340 lines"
lines 341 | sample client/slabclient.h
names "the public header with 341 lines" '^client/slabclient.h:341: '
finish "every function and file has its size"
