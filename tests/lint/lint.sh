# SPDX-License-Identifier: MIT
# What the lints share; sourced by each check_*.sh.
#
# A lint defines look, which prints one finding a line, "file:line: what", for
# the tree it stands in, and nothing for a clean one. Before it looks at the
# real tree it is fed samples: each bad one must be named, each good one must
# not, so that a lint which has stopped looking fails.
top=${srcdir:-$(dirname "$0")/../..}
top=$(cd "$top" && pwd) || exit 99
samples=$(mktemp -d) || exit 99
trap 'rm -rf "$samples"' EXIT
n=0
bad=0

# The project's C files, from the folder that one stands in, without what tests
# keep as it was.
sources() {
	find shm numa client daemon record tests -path tests/data -prune -o \
		-name '*.[ch]' -print 2>/dev/null |
		LC_ALL=C sort
}

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=$((bad + 1))
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# sample PATH <text: the sample tree becomes this one file.
sample() {
	rm -rf "${samples:?}"/*
	mkdir -p "$samples/$(dirname "$1")"
	cat >"$samples/$1"
}

# names WHAT PATTERN: the sample tree has a finding that matches.
names() {
	found=$(cd "$samples" && look)
	printf '%s\n' "$found" | grep -q -- "$2"
	result $? "names $1"
	return 0
}

# passes WHAT: the sample tree has none.
passes() {
	found=$(cd "$samples" && look)
	[ -z "$found" ]
	result $? "passes $1"
	[ -z "$found" ] || printf '%s\n' "$found" | sed 's/^/# /'
}

# Looks at the real tree and ends the lint.
finish() {
	found=$(cd "$top" && look)
	[ -z "$found" ]
	result $? "$1"
	[ -z "$found" ] || printf '%s\n' "$found" | sed 's/^/# /'
	echo "1..$n"
	[ "$bad" = 0 ]
}

# For awk: split_line(line) leaves the line's code in code, with strings and
# comments taken out, and its comment in note; at_body(line) sets in_body to the
# line where a function's body begins, by the brace in the first column.
lint_awk='
FNR == 1 { in_note = 0; in_body = 0 }
function split_line(line,    ch, two, in_text) {
	code = ""; note = ""; in_text = ""
	while (line != "") {
		ch = substr(line, 1, 1); two = substr(line, 1, 2)
		if (in_note) {
			if (two == "*/") {
				in_note = 0; line = substr(line, 3); continue
			}
			note = note ch
		} else if (in_text != "") {
			if (ch == "\\") { line = substr(line, 3); continue }
			if (ch == in_text) { in_text = ""; code = code ch }
		} else if (two == "/*") {
			in_note = 1; line = substr(line, 3); continue
		} else if (two == "//") {
			note = substr(line, 3); return
		} else {
			code = code ch
			if (ch == "\"" || ch == "\047")
				in_text = ch
		}
		line = substr(line, 2)
	}
}
function at_body(line) {
	if (line ~ /^\{/ || line ~ /^[A-Za-z_].*\)[ \t]*\{$/) in_body = FNR
}
function found(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
'
