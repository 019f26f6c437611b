#!/bin/sh
# SPDX-License-Identifier: MIT
# Comments: a file's head of 40 lines, a block of 60, 4 inside a function; no
# note of unfinished work and no question. Each file names its licence first.
. "$(dirname "$0")/lint.sh"

look() {
	sources | xargs -r awk "$lint_awk"'
	function block_over(    most, what, len) {
		len = last - start + 1
		most = 60; what = "comment"
		if (start <= 3) { most = 40; what = "file head" }
		if (inside) { most = 4; what = "comment in a function" }
		if (len > most)
			printf "%s:%d: %s of %d lines, at most %d\n", name,
				start, what, len, most
		start = 0
	}
	FNR == 1 {
		if (start) block_over()
		name = FILENAME
		if ($0 !~ /^\/\* SPDX-License-Identifier: MIT \*\/$/)
			found("first line is not the licence")
	}
	{
		was = in_note
		split_line($0)
		# Lines of // in a row are one block.
		whole = code !~ /[^ \t]/ && $0 ~ /[^ \t]/
		if (start && !was && !(slashes && $0 ~ /^[ \t]*\/\//))
			block_over()
		if ((was || note != "" || in_note) && FNR > 1) {
			if (!start) { start = FNR; inside = in_body }
			slashes = $0 ~ /^[ \t]*\/\//
			last = FNR
		}
		at_body($0)
	}
	/^\}/ { in_body = 0 }
	note ~ /(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/ {
		found("a note of unfinished work")
	}
	note ~ /[?]([ \t).,;!"\047]|$)/ { found("a question") }
	END { if (start) block_over() }'
}

spdx='/* SPDX-License-Identifier: MIT */'
# block N: a comment of that many lines.
block() {
	echo '/*'
	i=2
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		echo ' * why'
	done
	echo ' */'
}

{ echo "$spdx"; block 41; } | sample shm/a.h
names "a file head of 41 lines" '^shm/a.h:2: file head of 41'
{ echo "$spdx"; block 40; } | sample shm/a.h
passes "a file head of 40 lines"
{ printf '%s\n\n\nint a;\n' "$spdx"; block 61; } | sample shm/a.h
names "a block of 61 lines" '^shm/a.h:5: comment of 61'
{ printf '%s\n\n\nint a;\n' "$spdx"; block 60; } | sample shm/a.h
passes "a block of 60 lines"
{ printf '%s\nvoid f(void)\n{\n' "$spdx"; block 5; echo '}'; } |
	sample daemon/a.c
names "5 lines inside a function" '^daemon/a.c:4: comment in a function of 5'
printf '%s\nvoid f(void)\n{\n//a\n//b\n//c\n//d\n//e\n}\n' "$spdx" |
	sample daemon/a.c
names "5 lines of // inside a function" '^daemon/a.c:4: '
{ printf '%s\nvoid f(void)\n{\n' "$spdx"; block 4; echo '}'; block 9; } |
	sample daemon/a.c
passes "4 lines inside a function and 9 after it"
printf '%s\nint a; /* TODO: more */\n' "$spdx" | sample client/a.c
names "a TODO" '^client/a.c:2: a note'
printf '%s\n/* does it? */\n' "$spdx" | sample client/a.c
names "a question" '^client/a.c:2: a question'
printf '%s\nx = a ? "/* b? */" : c; /* GET /slabs?pool=p */\n' "$spdx" |
	sample client/a.c
passes "question marks that are no question"
echo 'int a;' | sample client/a.c
names "a file without the licence line" '^client/a.c:1: first line'
finish "every comment has its size"
