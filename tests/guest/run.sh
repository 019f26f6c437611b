#!/bin/bash
# SPDX-License-Identifier: MIT
# Tests on a real Linux kernel with several NUMA nodes, in a virtual machine
# under software emulation. Prints TAP. Called by ./dev guest, with the build
# folder in builddir; build/guest keeps the kernel and the last run's logs.
set -u
export LC_ALL=C

help() {
	cat <<'TEXT'
Usage: ./dev guest [--shape four] [--seconds S] [--shell] [TEST...]

Boots a virtual machine of four NUMA nodes, each one CPU and 512 MiB at
unequal distances, and runs the tests in it (tests/guest/test_*.sh).

  --shape four  the machine: four is the only one so far
  --seconds S   the machine's time limit, 30 to 3600 (180)
  --shell       a shell in the machine, its programs in /guest, instead of
                the tests; Ctrl-A X ends it
  --help        this text

A TEST is a name such as homes. The kernel is Debian's, downloaded once and
not installed. Exit status: 0 all passed or skipped, 1 not, 2 bad arguments.
TEXT
}

refuse() {
	echo "guest: $1; see ./dev guest --help" >&2
	exit 2
}

seconds=180 shell='' only=()
while (($#)); do
	case $1 in
	--help | -h) help && exit 0 ;;
	--shell) shell=1 ;;
	--shape)
		[[ ${2-} = four ]] || refuse "--shape \"${2-}\": only four"
		shift
		;;
	--seconds)
		if ! [[ ${2-} =~ ^[0-9]{2,4}$ ]] || ((10#$2 < 30 || 10#$2 > 3600))
		then
			refuse "--seconds \"${2-}\": a whole number, 30 to 3600"
		fi
		seconds=$((10#$2))
		shift
		;;
	-*) refuse "unknown option \"$1\"" ;;
	*) only+=("$1") ;;
	esac
	shift
done

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${BUILD:-${builddir:-$top/build/gcc}}
out=$top/build/guest
kernel=$out/vmlinuz
root=$out/root
for test in "${only[@]}"; do
	[[ -f $here/test_$test.sh ]] || refuse "no test \"$test\""
done

# skip REASON: there is no machine to run the tests on.
skip() {
	echo "ok 1 - a machine of four nodes # SKIP $1"
	echo "1..1"
	exit 0
}

fail() {
	echo "not ok 1 - a machine of four nodes"
	echo "# $1"
	echo "1..1"
	exit 1
}

# ---- kernel ----------------------------------------------------------------
as_root() {
	if [[ $(id -u) = 0 ]]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

# The package that the newest kernel's package stands for.
kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# Leaves the package in the working folder; apt checks it by its signed lists.
download() {
	local package
	package=$(kernel_package)
	[[ -n $package ]] && apt-get download "$package"
}

fetch_kernel() {
	local dir=$out/download deb
	[[ ! -s $kernel ]] || return 0
	rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || return
	download >"$out/download.log" 2>&1 ||
		{ as_root apt-get update && download; } \
			>>"$out/download.log" 2>&1 ||
		return 1
	deb=(./*.deb)
	dpkg-deb --fsys-tarfile "${deb[0]}" |
		tar -xO --wildcards './boot/vmlinuz-*' >"$kernel.new" &&
		[[ -s $kernel.new ]] && mv "$kernel.new" "$kernel" || return 1
	cd "$out" && rm -rf "$dir"
}

# ---- file system -----------------------------------------------------------
# built PATH: the program itself where libtool has put a script in its place.
built() {
	local dir=$build/${1%/*} name=${1##*/}
	[[ -x $dir/.libs/$name ]] && dir+=/.libs
	[[ -x $dir/$name ]] || return 1
	echo "$dir/$name"
}

# add PROGRAM...: into /guest, and the libraries that they and the shell need
# into /lib; a static one needs none.
add() {
	cp -L "$@" "$root/guest/" || return
	LD_LIBRARY_PATH=$build/client/.libs \
		ldd "$@" "$(command -v busybox)" 2>/dev/null |
		awk '/=> \// { print $3 }' | sort -u | xargs -r cp -Lt "$root/lib"
}

make_root() {
	local programs=() name path
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,etc,guest,lib,lib64,proc,run,sys,tmp,var} ||
		return
	for name in daemon/slabd daemon/slabctl tests/replay/replay \
		tests/guest/homes tests/guest/threads tests/guest/nearest \
		tests/guest/orphan tests/guest/migrate; do
		path=$(built "$name") || {
			echo "$build/$name is not built"
			return 1
		}
		programs+=("$path")
	done
	add "${programs[@]}" "$(command -v jq)" || return
	cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/" || return
	cp "$here"/{lib,tests,test_*}.sh "$top"/tests/data/*-cut.trace.zst \
		"$root/guest/" || return
	cp "$here/init" "$root/init" && cp "$(command -v busybox)" \
		"$root/bin/busybox" || return
	chmod 755 "$root/init" "$root"/guest/*.sh
	printf '%s\n' "${only[@]}" >"$root/guest/only"
	printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$out/initramfs"
}

# ---- machine ---------------------------------------------------------------
nodes=4
# From, to, distance: in no row is the order that of the numbers, nor that of
# the ring that equal distances would give.
distances='0 1 31  0 2 16  0 3 22  1 2 22  1 3 16  2 3 28'

# Fills machine. The processor lacks what makes emulation slow.
describe_machine() {
	local i pairs
	# shellcheck disable=SC2054
	machine=(-accel tcg,thread=multi -cpu "qemu64,+rdrand" -machine pc
		-smp "$nodes" -m $((nodes * 512)) -nodefaults -display none
		-no-reboot -kernel "$kernel" -initrd "$out/initramfs")
	for ((i = 0; i < nodes; i++)); do
		machine+=(-object "memory-backend-ram,id=m$i,size=512M"
			-numa "node,nodeid=$i,cpus=$i,memdev=m$i")
	done
	read -ra pairs <<<"$distances"
	for ((i = 0; i < ${#pairs[@]}; i += 3)); do
		machine+=(-numa "dist,src=${pairs[i]},dst=${pairs[i + 1]},val=${pairs[i + 2]}")
	done
}

# The kernel talks on the first serial line, the tests on the second.
boot() {
	local args='console=ttyS0 panic=-1 quiet mitigations=off'
	if [[ -n $shell ]]; then
		exec qemu-system-x86_64 "${machine[@]}" -serial mon:stdio \
			-append "$args slabd.shell"
	fi
	timeout -k 5 "$seconds" qemu-system-x86_64 "${machine[@]}" \
		-append "$args" -serial "file:$out/console.log" \
		-serial "file:$out/tap.log" </dev/null >"$out/qemu.log" 2>&1
}

# ---- results ---------------------------------------------------------------
# The tests' lines and nothing else; 0 if they are whole and none failed.
judge() {
	tr -d '\r' <"$out/tap.log" | awk '
	/^ok / { n++ }
	/^not ok / { n++; failed++ }
	/^1\.\./ { plan = substr($0, 4) + 0; plans++ }
	{ print }
	END { exit !(plans == 1 && plan == n && n > 0 && !failed) }'
}

[[ $(uname -m) = x86_64 ]] || skip "made for x86-64 alone"
for program in qemu-system-x86_64 busybox cpio jq dpkg-deb; do
	command -v "$program" >/dev/null || skip "$program is not installed"
done
mkdir -p "$out" || exit 1
exec 9>"$out/lock"
flock -n 9 || fail "another run is going on in build/guest"
fetch_kernel ||
	skip "the kernel's package can't be downloaded (build/guest/download.log)"
why=$(make_root 2>&1) || fail "$why"
describe_machine
rm -f "$out"/{console,tap,qemu}.log
began=$SECONDS
boot
status=$?
touch "$out/tap.log" "$out/console.log"
judge
verdict=$?
echo "# the machine ran for $((SECONDS - began)) s; logs are in build/guest"
if ((status == 0 && verdict == 0)); then
	exit 0
fi
((status != 124)) || echo "Bail out! the machine was still running after $seconds s"
{ cat "$out/qemu.log" && tail -n 15 "$out/console.log"; } | tr -d '\r' |
	sed 's/^/# /'
exit 1
