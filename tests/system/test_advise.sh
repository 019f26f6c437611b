#!/bin/sh
# SPDX-License-Identifier: MIT
# slabctl advise, of a slabd that runs and of recorded traces: without one, and with
# one that plays them and is then started with the configuration that was written;
# what is no trace is refused, and said. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
to_show="out err log"
for needed in zstd jq; do
	command -v "$needed" >/dev/null 2>&1 ||
		skip_all "$needed is not installed"
done

slabctl() { ctl "$@" >"$here/out" 2>"$here/err"; }
jq_of() { jq -e "$1" "$here/out" >/dev/null 2>>"$here/err"; }
gateway=$srcdir/tests/data/gateway-cut.trace.zst
mariadb=$srcdir/tests/data/mariadb-cut.trace.zst
if slabctl advise --trace "$gateway"; grep -q 'built without libzstd' "$here/err"
then
	skip_all "built without libzstd"
fi

# refused STATUS WORDS ARGUMENTS...: with these words, and a remedy below.
refused() {
	status=$1 words=$2
	shift 2
	slabctl "$@"
	[ $? = "$status" ] && [ ! -s "$here/out" ] &&
		grep -q -- "$words" "$here/err" &&
		[ "$(wc -l <"$here/err")" -ge "$((3 - status))" ]
	result $? "refused: $words"
}

# ---- without a slabd ----------------------------------------------------------
slabctl advise --json --trace "$gateway" &&
	jq_of '.schema == 1 and .trace.events == 60000 and .trace.threads == 1' &&
	jq_of '.ways[1].event_ns > 0' && { [ -n "${SLABD_SANITIZER:-}" ] ||
		jq_of '.ways[1].held_bytes >= .ways[0].held_bytes'; } &&
	jq_of '.ways[2].event_ns == null and .unplayed[0].way == "slabd"' &&
	jq_of '([.caches[].held_bytes] | add) + .trace.large.live_bytes
	       == .ways[2].held_bytes' &&
	jq_of '([.caches[].objects] | add) + .trace.large.objects == .trace.objects' &&
	jq_of '(.caches | length) <= 16'
result $? "of a trace: what malloc holds, and what slabd would, without one"

slabctl advise --json --trace "$mariadb" --caches 3 &&
	jq_of '.trace.threads > 16 and .trace.freed_elsewhere > 0' &&
	jq_of '.caches | length == 3 and ([.[].freed_elsewhere] | add) > 0'
result $? "of one with threads: what another frees, and no more caches than asked"

zstd -qd "$gateway" -o "$here/plain"
slabctl advise --json --trace "$here/plain" && jq_of '.trace.events == 60000'
result $? "of one that is not packed"

# ---- what is no trace ---------------------------------------------------------
refused 1 'No such file' advise --trace "$here/absent"
refused 1 'does not start with SLABTRC1' advise --trace "$0"
: >"$here/empty"
refused 1 'ends before the magic' advise --trace "$here/empty"
head -c 30000 "$gateway" >"$here/cut.zst"
refused 1 'cut off: its zstd frame goes on' advise --trace "$here/cut.zst"
head -c 1005 "$here/plain" >"$here/cut"
refused 1 'record 83: the file is cut off: 1 bytes of 12' advise --trace "$here/cut"
{ head -c 10 "$gateway" && printf 'xxxxxxxxxxxxxxxx'; tail -c +27 "$gateway"; } \
	>"$here/broken.zst"
refused 1 'zstd: ' advise --trace "$here/broken.zst"
printf 'SLABTRC1\002\001\000\000\000\000\000\000\007\000\000\000' >"$here/free"
refused 1 'record 0: frees object 7' advise --trace "$here/free"
refused 1 'directory' advise --trace "$here"
refused 2 'goes with --trace alone' advise --caches 3
refused 1 'no slabd at' advise
echo mine >"$here/mine"
refused 1 'did not write it' advise --trace "$gateway" --write "$here/mine"
printf 'SLABTRC1\001\001\000\000\377\377\377\377\000\000\000\000' >"$here/huge"
slabctl advise --json --trace "$here/huge" &&
	jq_of '.trace.large.live_bytes == 4294967295 and .caches == []'
result $? "an object of 4 GiB is left to malloc"

# ---- with one ------------------------------------------------------------------
configure 64M 2M "" "[pool small]
page = 4k
max = 2M
start = 2M"
start
result $? "slabd serves"
for trace in "$gateway" "$mariadb"; do
	slabctl advise --json --trace "$trace" &&
		jq_of '.ways[2].event_ns > 0 and .unplayed == []'
	result $? "$(basename "$trace") is played by slabd"
done
slabctl caches --json && jq_of '.pools[0].caches == []'
result $? "nothing of the play is left"
slabctl advise --json --trace "$gateway" --pool small --caches 1 &&
	jq_of '.ways[2].event_ns == null' &&
	jq_of '.unplayed[0].what | contains("raise max")' &&
	slabctl caches --json && jq_of '[.pools[].caches[]] == []'
result $? "a pool that is too small for it: said, and nothing is left either"
audit "its books agree"
slabctl advise --json --pool default && jq_of '.schema == 1 and .pools[0].name == "default"' &&
	jq_of '[.advice[].kind] - ["start"] == []'
result $? "of a slabd that runs: what its pool had to grow by, and nothing else"
slabctl advise --pool nowhere
[ $? = 1 ] && [ "$(wc -l <"$here/err")" -ge 2 ]
result $? "of a pool that is not there"

kill -STOP "$pid"
slabctl advise --json --trace "$gateway" --caches 2
status=$?
kill -CONT "$pid"
[ $status = 0 ] && jq_of '.ways[2].event_ns == null' &&
	jq_of '.unplayed[0].what | contains("stopped")'
result $? "one that stands still is waited for, and said"
slabctl advise --json --pool nowhere --trace "$gateway" &&
	jq_of '.unplayed[0].what | contains("no pool nowhere")' &&
	jq_of '.config[0].pool == "nowhere"'
result $? "a pool that is not there yet gets its configuration all the same"

mkdir "$here/conf.d"
advice=$here/conf.d/50-advice.conf
slabctl advise --trace "$mariadb" --caches 8 --write "$advice" &&
	grep -q '^start = ' "$advice" &&
	"$builddir/daemon/slabd" --check-config --config "$here/conf" >"$here/out" \
		2>"$here/err"
result $? "what it writes is a configuration without errors"
want=$(sed -n 's/^start = \([0-9]*\)M$/\1/p' "$advice")
stop
start && slabctl nodes --json &&
	jq_of ".pools[0].nodes[0].ready_bytes == $want * 1048576"
result $? "and a slabd starts with it: $want MiB are ready"
stop
result $? "slabd ends well"
finish
