#!/bin/bash
# SPDX-License-Identifier: MIT
# Tests on a real Linux kernel with several NUMA nodes, in a virtual machine
# under software emulation. Prints TAP. Called by ./dev guest, with the build
# folder in builddir; build/guest keeps the kernel, and of each shape of
# machine the last run's files and logs. README.md says how it is made.
set -u
export LC_ALL=C

help() {
	cat <<'TEXT'
Usage: ./dev guest [--shape SHAPE] [--seconds S] [--shell] [TEST...]

Boots a virtual machine and runs the tests that fit it (tests/guest/test_*.sh).

  --shape four     four NUMA nodes, each one CPU and 512 MiB, at unequal
                   distances (the default)
  --shape six      six nodes, of which one has CPUs and no memory and one has
                   memory and no CPU, with a gap in their numbers; CPUs and
                   memory can be taken away
  --shape systemd  two nodes and a small Debian, in which systemd runs slabd
                   as it is installed
  --shape package  the same, with the Debian packages, that are installed and
                   taken away there
  --shape giant    two nodes with pages of 1 GiB
  --seconds S      the machine's time limit, 30 to 7200 (2400)
  --shell          a shell in the machine, its programs in /guest, instead of
                   the tests; Ctrl-A X ends it
  --help           this text

A TEST is a name such as homes. The kernel is Debian's, downloaded once and
not installed. Exit status: 0 all passed or skipped, 1 not, 2 bad arguments.
TEXT
}

refuse() {
	echo "guest: $1; see ./dev guest --help" >&2
	exit 2
}

seconds=2400 shell='' only=() shape=four
while (($#)); do
	case $1 in
	--help | -h) help && exit 0 ;;
	--shell) shell=1 ;;
	--shape)
		[[ ${2-} =~ ^(four|six|systemd|package|giant)$ ]] || refuse \
			"--shape \"${2-}\": four, six, systemd, package or giant"
		shape=$2
		shift
		;;
	--seconds)
		if ! [[ ${2-} =~ ^[0-9]{2,4}$ ]] || ((10#$2 < 30 || 10#$2 > 7200))
		then
			refuse "--seconds \"${2-}\": a whole number, 30 to 7200"
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
dir=$out/$shape
kernel=$out/vmlinuz
root=$dir/root

# shapes_of FILE: those that a test is for: what it says, or four.
shapes_of() {
	local shapes
	shapes=$(sed -n 's/^# shapes: //p' "$1")
	echo "${shapes:-four}"
}

# Sets tests: the files for this machine.
tests=()
for file in "$here"/test_*.sh; do
	[[ " $(shapes_of "$file") " != *" $shape "* ]] || tests+=("$file")
done
for test in "${only[@]}"; do
	[[ " ${tests[*]} " = *"/test_$test.sh "* ]] ||
		refuse "no test \"$test\" for the shape $shape"
done

# skip REASON: there is no machine to run the tests on.
skip() {
	echo "ok 1 - the machine $shape # SKIP $1"
	echo "1..1"
	exit 0
}

fail() {
	echo "not ok 1 - the machine $shape"
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
# built PATH
built() {
	if [[ ! -x $build/$1 ]]; then
		echo "$build/$1 is not built" >&2
		return 1
	fi
	echo "$build/$1"
}

# The tests and their programs, the same in all shapes.
add_tests() {
	local name
	mkdir -p "$root/guest" || return
	for name in daemon/slabd daemon/slabctl tests/replay/replay \
		"${guest_programs[@]/#/tests/guest/}"; do
		built "$name" || return
	done >"$dir/programs"
	mapfile -t programs <"$dir/programs"
	cp "$here"/{lib,tests}.sh "${guest_files[@]/#/$here/}" "${tests[@]}" \
		"$top"/tests/data/*-cut.trace.zst "$root/guest/" || return
	sed '/^#/d' "$here/shape_$shape.facts" >"$root/guest/facts" || return
	chmod 755 "$root"/guest/*.sh
	printf '%s\n' "${only[@]}" >"$root/guest/only"
}

pack() {
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0)
}

# A file system of busybox, the programs and the libraries that they need.
make_small_root() {
	add_tests || return
	mkdir -p "$root"/{bin,dev,etc,lib,lib64,proc,run,sys,tmp,var} &&
		cp -L "${programs[@]}" "$(command -v jq)" "$root/guest/" ||
		return
	# A static program needs none.
	LD_LIBRARY_PATH=$build/client/.libs \
		ldd "${programs[@]}" "$(command -v jq)" \
		"$(command -v busybox)" 2>/dev/null |
		awk '/=> \// { print $3 }' | sort -u |
		xargs -r cp -Lt "$root/lib" || return
	cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/" || return
	cp "$here/init" "$root/init" &&
		cp "$(command -v busybox)" "$root/bin/busybox" || return
	chmod 755 "$root/init"
	printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	pack >"$dir/initramfs"
}

# ---- machine ---------------------------------------------------------------
guest_files=()
guest_programs=(homes threads nearest orphan migrate burst local)
needed_mib=0 # of memory that this machine is to have free
needed=(qemu-system-x86_64 busybox cpio jq dpkg-deb)
# The processor lacks what makes emulation slow.
machine=(-cpu "qemu64,+rdrand" -machine pc -nodefaults -display none -no-reboot
	-kernel "$kernel" -initrd "$dir/initramfs")
kernel_args='console=ttyS0 panic=-1 quiet mitigations=off psi=1'

# with_memory ID SIZE: memory for a node or a module, as m<ID>.
with_memory() {
	machine+=(-object "memory-backend-ram,id=m$1,size=$2")
}

# at_distances FROM TO DISTANCE...
at_distances() {
	while (($# >= 3)); do
		machine+=(-numa "dist,src=$1,dst=$2,val=$3")
		shift 3
	done
}

free_mib() {
	awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo
}

# The shape's own: make_root, which fills $root, packs it as $dir/initramfs and
# may say why it can't; describe_machine, which adds to machine.
# shellcheck source=/dev/null
. "$here/shape_$shape.sh"

# The kernel talks on the first serial line, the tests on the second.
boot() {
	if [[ -n $shell ]]; then
		exec qemu-system-x86_64 "${machine[@]}" -serial mon:stdio \
			-append "$kernel_args slabd.shell"
	fi
	timeout -k 5 "$seconds" qemu-system-x86_64 "${machine[@]}" \
		-append "$kernel_args" -serial "file:$dir/console.log" \
		-serial "file:$dir/tap.log" </dev/null >"$dir/qemu.log" 2>&1
}

# ---- results ---------------------------------------------------------------
# The tests' lines and nothing else; 0 if they are whole and none failed.
judge() {
	tr -d '\r' <"$dir/tap.log" | awk '
	/^ok / { n++ }
	/^not ok / { n++; failed++ }
	/^1\.\./ { plan = substr($0, 4) + 0; plans++ }
	{ print }
	END { exit !(plans == 1 && plan == n && n > 0 && !failed) }'
}

# The end of what kernel, qemu and, in a small Debian, systemd said.
show_console() {
	echo "# --- the machine's console ends with:"
	cat "$dir/qemu.log" "$dir/console.log" | tr -d '\r' | tail -n 40 |
		sed 's/^/# /'
}

[[ $(uname -m) = x86_64 ]] || skip "made for x86-64 alone"
for program in "${needed[@]}"; do
	command -v "$program" >/dev/null || skip "$program is not installed"
done
(($(free_mib) >= needed_mib)) ||
	skip "$needed_mib MiB of free memory are needed"
mkdir -p "$dir" || exit 1
exec 9>"$dir/lock"
flock -n 9 || fail "another run is going on in build/guest/$shape"
exec 8>"$out/lock"
flock 8
fetch_kernel ||
	skip "the kernel's package can't be downloaded (build/guest/download.log)"
flock -u 8
rm -rf "$root"
why=$(make_root 2>&1) || fail "$why"
describe_machine
rm -f "$dir"/{console,tap,qemu}.log
began=$SECONDS
boot
status=$?
touch "$dir/tap.log" "$dir/console.log"
judge
verdict=$?
echo "# the machine ran for $((SECONDS - began)) s; logs are in build/guest/$shape"
if ((status == 0 && verdict == 0)); then
	exit 0
fi
if ((status == 124 || status == 137)); then
	echo "Bail out! the machine $shape was still running after $seconds s"
elif ! grep -q '^1\.\.' "$dir/tap.log"; then
	echo "Bail out! the machine $shape ended before its tests did"
fi
show_console
exit 1
