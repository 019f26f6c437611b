#!/bin/sh
# SPDX-License-Identifier: MIT
# What "./dev bench" runs: the costs of one pool of 1 GiB on this machine, side
# by side with the hand-written floor and the C library's malloc in one run.
set -eu
builddir=${builddir:?the build folder}
srcdir=${srcdir:-$(dirname "$0")/../..}
case ${1:-} in
-h | --help)
	cat <<EOF
Usage: ./dev bench [--insn]

Measures, on a pool of 1 GiB: start-up against MAP_POPULATE, attaching, the
share of metadata, wake-ups of an idle slabd, W1, W2 and W2b against a
hand-written magazine and malloc. --insn counts instructions alone.
EOF
	exit 0
	;;
--insn) exec sh "$srcdir/tests/check_insn.sh" ;;
'') ;;
*)
	echo "bench: unknown option $1: see ./dev bench --help" >&2
	exit 2
	;;
esac

here=$(mktemp -d)
pid=
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT INT TERM

status() {
	curl -sf --unix-socket "$here/c" http://localhost/status
}

make -s -C "$builddir" tests/bench/attach tests/bench/pairs \
	tests/bench/populate tests/insn_hit

echo "== start-up: faulting 1 GiB in, against a bare MAP_POPULATE"
"$builddir/tests/bench/populate"

cat >"$here/conf" <<EOF
[pool default]
start = 1G
max = 1G
EOF
"$builddir/daemon/slabd" --config "$here/conf" --socket "$here/s" \
	--control "$here/c" 2>"$here/log" &
pid=$!
tries=0
until status >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
		cat "$here/log" >&2
		exit 1
	fi
	sleep 0.1
done
grep -E 'ready in|no .* pages' "$here/log"
export SLABD_SOCKET="$here/s"

echo "== attaching to it"
"$builddir/tests/bench/attach" open 200

echo "== metadata, the pool filled with 64-byte objects"
mkfifo "$here/go"
"$builddir/tests/bench/attach" fill <"$here/go" >"$here/fill" &
filler=$!
exec 3>"$here/go"
until [ -s "$here/fill" ]; do sleep 0.1; done
cat "$here/fill"
status | jq -r '.pools[0] | "metadata: \(.metadata_bytes) bytes of \(
	.ready_bytes), \(10000 * .metadata_bytes / .ready_bytes | round / 100) %"'
echo >&3
exec 3>&-
wait $filler

echo "== slabd idle for 10 s"
sleep 2
before=$(sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$pid/status")
sleep 10
after=$(sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$pid/status")
echo "wake-ups: $((after - before))"

echo "== pairs of alloc and free, one thread"
"$builddir/tests/bench/pairs"
echo "== instructions"
sh "$srcdir/tests/check_insn.sh"
