#!/bin/sh
# SPDX-License-Identifier: MIT
# The status page as a real browser draws it: figures that slabctl has too, light
# and dark, narrow and wide, without clients, and without slabd. Prints TAP; no
# arguments. SLABD_PICTURES: a folder for what it looked like.
. "$(dirname "$0")/../lib/shell.sh"
pictures=${SLABD_PICTURES:-$here}
to_show="out log errors"
user= browser=
at_end() {
	for process in $browser $user; do
		end "$process"
	done
}

# As JSON, each time.
ctl() { "$builddir/daemon/slabctl" --control "$here/c" --json "$@"; }

# set_up NODES: it pretends to have so many.
set_up() {
	configure 64M 4M "metrics = 127.0.0.1:$port
	topology = node:$1 core:1 pu:1
	[balance]
	enabled = no
	hold = 1h
	hold_max = 1h"
}

start_at_port set_up 4
site=http://127.0.0.1:$port
mkfifo "$here/end"
"$builddir/tests/system/page_user" 5000 2000 \
	<"$here/end" >"$here/said" 2>&1 &
user=$!
exec 3>"$here/end"
until_true grep -q ready "$here/said"
result $? "slabd serves, and a client has objects on two nodes"
ctl lend '<img src=x onerror=alert(1)>' 0 2 1 >"$here/out" 2>&1
result $? "and a slab is lent"

# ---- without a browser -----------------------------------------------------------
curl -sf -D "$here/out" "$site/" >"$here/page" && cmp "$here/page" - <<EOT
$(cat "$srcdir/daemon/admin/page.html")

EOT
result $? "GET / is the page"
grep -qi '^content-type: text/html; charset=utf-8' "$here/out" &&
	grep -qi '^x-content-type-options: nosniff' "$here/out" &&
	grep -qi '^cache-control: no-store' "$here/out" &&
	grep -qi "^content-security-policy: default-src 'none'; script-src 'sha256-" \
		"$here/out" && ! grep -qi unsafe "$here/out"
result $? "with headers that let it load nothing else"
! grep -E 'src=|href="[^d]|https?://[^w]|url\(|@import' "$here/page" >"$here/out"
result $? "and nothing in it to load"

# status METHOD PATH ARGUMENTS...
status() {
	method=$1 path=$2
	shift 2
	curl -s -o "$here/answer" -w '%{http_code}' -X "$method" "$@" "$site$path"
}
for method in POST PUT DELETE OPTIONS PATCH; do
	echo "$method $(status $method /)"
done >"$here/out"
[ "$(cut -d ' ' -f 2 "$here/out" | uniq)" = 405 ]
result $? "other methods are refused"
for path in /trim /lend /migrate /drain /undrain /cache /root /evict /set /supervisor
do
	echo "$path $(status POST "$path?pool=default")"
done >"$here/out"
[ "$(cut -d ' ' -f 2 "$here/out" | uniq)" = 404 ]
result $? "and so is all that steers"
for path in /slabs /dump /audit /doctor /leaks /arenas /roots /plan /set /save \
	/page.html /favicon.ico; do
	echo "$path $(status GET "$path")"
done >"$here/out"
[ "$(cut -d ' ' -f 2 "$here/out" | uniq)" = 404 ]
result $? "and what is not for everybody"
ctl clients | jq -S '.pools[0].clients[0] | {id, pid, name, bytes, failures}' \
	>"$here/want"
curl -s "$site/clients" | jq -S '.pools[0].clients[0] |
	if has("uid") or has("process") or has("age_s") then "too much" else
	{id, pid, name, bytes, failures} end' >"$here/out"
cmp -s "$here/want" "$here/out" && grep -q '"pid"' "$here/out"
result $? "of a client there is what the metrics tell"
[ "$(status GET /clients?client=1)" = 400 ]
result $? "and of one alone nothing more"
[ "$(status GET /nodes -H 'Host: a.example')" = 403 ] &&
	[ "$(status GET /nodes -H 'Host: localhost:9')" = 200 ] &&
	[ "$(status GET /nodes -H 'Host: [::1]:9')" = 200 ]
result $? "pages of others can't ask by a name of theirs"

# ---- with one --------------------------------------------------------------------
chromium=$(command -v chromium || command -v chromium-browser)
why=
[ -n "$chromium" ] || why="there is no chromium"
[ -z "${SLABD_SANITIZER:-}" ] || why="a build with a sanitizer draws no other page"
if [ -n "$why" ]; then
	skip "a real browser" "$why"
	stop
	finish
	exit
fi

# browse WIDTH LIGHT ARGUMENTS...
browse() {
	width=$1 light=$2
	shift 2
	rm -rf "$here/profile"
	set -- --headless --no-sandbox --disable-gpu --disable-quic \
		--no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --hide-scrollbars \
		--user-data-dir="$here/profile" --start-fullscreen \
		--screen-info="{${width}x1400}" "$@"
	[ "$light" = light ] || set -- --force-dark-mode "$@"
	exec "$chromium" "$@" 2>"$here/errors"
}

# Its clock runs on while it waits for nothing: it asks twice at once.
look() {
	(browse "$1" "$2" --virtual-time-budget=5000 --dump-dom "$site/#selftest") \
		>"$here/dom"
	sed -n 's/.*data-selftest="\([^"]*\)".*/\1/p' "$here/dom" |
		sed 's/&quot;/"/g' >"$here/selftest"
	cp "$here/selftest" "$here/out"
}

# text TEXT: whether it stands in what was drawn.
text() {
	grep -qF -- "$1" "$here/dom" && return
	echo "no $1" >>"$here/missing"
	return 1
}

for light in light dark; do
	for width in 1280 360; do
		look $width $light
		jq -e --argjson width $width --arg light $light '
			.state == "live" and .turns >= 1 and .width == $width and
			.dark == ($light == "dark") and (.sideways | not) and
			.contrast >= 4.5 and .shifted < 0.05' \
			"$here/selftest" >"$here/verdict"
		result $? "$light, $width wide: fits, and can be read"
	done
done

# As the page shows bytes.
shown() {
	LC_ALL=C awk -v n="$1" 'BEGIN {
		for (i = 1; n >= 1024; i++)
			n /= 1024
		digits = n >= 99.95 || i == 1 ? 0 : (n >= 9.995 ? 1 : 2)
		printf("%.*f %s", digits, n, substr("  BKiBMiBGiB", 3 * i - 2, 3))
	}'
}
# What stood still while the page was drawn can be compared.
memory() {
	ctl nodes | jq -c '.pools[0].nodes[] |
		[.ready_bytes, .max_bytes, .lent_bytes, .borrowed_bytes]'
}
tries=0
memory >"$here/memory"
until look 360 dark && memory >"$here/now" && cmp -s "$here/memory" "$here/now" ||
	[ $tries -ge 10 ]; do
	mv "$here/now" "$here/memory"
	tries=$((tries + 1))
done
: >"$here/missing"
tr -d '[]' <"$here/now" | tr , ' ' | while read -r ready max lent borrowed; do
	text "$(shown "$ready") of $(shown "$max")"
	[ "$lent" = 0 ] || text "lends $(shown "$lent")"
	[ "$borrowed" = 0 ] || text "borrows $(shown "$borrowed")"
done
grep -qF 'lends 64.0 KiB' "$here/dom" || echo "no lent slab" >>"$here/missing"
text "used <b>$(ctl caches | jq '.pools[0].caches[0].used')</b>"
text "pid $(ctl clients | jq '.pools[0].clients[0].pid')"
text "$(ctl log | jq -r '.pools[0].events | map(select(.kind == "lend"))[0].text')"
text 'lend 1 slab of &lt;img'
cp "$here/missing" "$here/out"
[ ! -s "$here/out" ]
result $? "figures are those of slabctl"
: >"$here/missing"
text '&lt;img src=x onerror=alert(1)&gt;'
text '&lt;b&gt;client&lt;/b&gt; &amp; "co"'
text '&lt;script&gt;alert(2)&lt;/script&gt;'
cp "$here/missing" "$here/out"
[ ! -s "$here/out" ] && ! grep -qE '<img|<b>client|<script>alert' "$here/dom"
result $? "what clients named is text"
for light in light dark; do
	(browse 1280 $light --virtual-time-budget=2000 \
		--screenshot="$pictures/page-$light.png" "$site/") >"$here/out" 2>&1
	[ "$(head -c 4 "$pictures/page-$light.png" | tail -c 3)" = PNG ] &&
		[ "$(wc -c <"$pictures/page-$light.png")" -gt 20000 ]
	result $? "a picture of it, $light"
done

# ---- and without slabd -----------------------------------------------------------
exec 3>&-
wait "$user"
user=
stop
set_up 1
start
result $? "slabd starts anew, on one node"
look 360 light
: >"$here/missing"
text 'There is one node: nothing crosses.'
text 'There is no client.'
text 'There is no channel.'
cp "$here/missing" "$here/out"
[ ! -s "$here/out" ] && jq -e '.state == "live" and (.sideways | not)' \
	"$here/selftest" >"$here/verdict"
result $? "one node, no client"
browse 360 light --enable-logging=stderr "$site/#selftest" >"$here/out" 2>&1 &
browser=$!
saw() { grep -o 'page: {"state":"[a-z]*"' "$here/errors" | tail -n 1 | grep "$1"; }
until_true saw live
result $? "a page that stays open"
kill -KILL "$pid" && wait "$pid" 2>/dev/null
until_true saw down
result $? "says that slabd does not answer"
start && until_true saw live
result $? "and goes on when it does"
end "$browser"
browser=
stop
finish
