#!/bin/bash
# SPDX-License-Identifier: MIT
# README.md followed on a bare system: a Debian of its own in build/bare, with what
# debootstrap makes and nothing else, in which a user types what stands there. It
# shows each command with what it said, and prints TAP; as root. The Debian has mounts
# and processes of its own, and slabd pages of 4 KiB, so that nothing of the machine
# around it changes.
set -u
export LC_ALL=C.UTF-8
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/build/bare debian=$root/build/bare/debian

skip() {
	echo "ok 1 - README.md on a bare system # SKIP $1"
	echo "1..1"
	exit 0
}

[ "$(id -u)" = 0 ] || skip "a Debian is made as root"
for tool in debootstrap unshare git; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
git -C "$root" rev-parse HEAD >/dev/null 2>&1 || skip "no git here"
read -r site codename < <(apt-get indextargets \
	--format '$(SITE) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
	awk -v name="$(. /etc/os-release && echo "$VERSION_CODENAME")" \
		'$2 == name && $3 == "Debian" { print $1, name; exit }')
mkdir -p "$out" && rm -rf --one-file-system "$debian"
unshare --mount debootstrap --variant=minbase "$codename" "$debian" "$site" \
	>"$out/debootstrap.log" 2>&1 || skip "no Debian can be made: $(tail -n 1 \
	"$out/debootstrap.log")"
mkdir "$debian/slabd"
git -C "$root" archive HEAD | tar -x -C "$debian/slabd" || exit

# The program of README.md, and a main that calls it.
{
	echo '#include <stdint.h>'
	sed -n '/^```c$/,/^```$/p' "$root/README.md" | sed '/^```/d' |
		sed 's/^slabd_pool \*pool/int main(void)\n{\n&/'
	echo 'return pool == NULL || orders == NULL || order == NULL ||'
	echo '	handle == 0 || slabd_close(pool) != 0;'
	echo '}'
} >"$debian/slabd/worker.c"

cat >"$debian/follow" <<'FOLLOW'
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:$PATH
cd /slabd || exit
n=0

# types STATUS COMMAND: as README.md has it.
types() {
	n=$((n + 1))
	want=$1
	echo "# \$ $2"
	bash -c "$2" >/said 2>&1 </dev/null
	status=$?
	tail -n 12 /said | cut -c 1-150 | sed 's/^/#   /'
	if [ $status = "$want" ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2: status $status"
		tail -n 40 /said | sed 's/^/# /'
	fi
}

until_true() { # COMMAND...: within a minute
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ "$i" -lt 600 ] || return 1
		sleep 0.1
	done
}

types 0 './dev demo --nodes 2 --seconds 5'
types 0 './dev help'
for command in 'autoreconf -fi' ./configure make 'make install'; do
	types 0 "$command"
done
ldconfig
types 0 'cc worker.c $(pkg-config --cflags --libs slabclient)'
mkdir -p /usr/local/etc/slabd/slabd.conf.d
printf '[slabd]\nreserve_hugepages = no\nmetrics = 127.0.0.1:9464
[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n' \
	>/usr/local/etc/slabd/slabd.conf.d/50-bare.conf
slabd --supervise 2>/slabd.log &
supervisor=$!
until_true slabctl status
types 0 ./a.out
# What the table of README.md has, as far as it does not ask for a second node.
sed -n 's/^    \(slabctl .*\)/\1/p' README.md | sed 's/   *.*//; s/;.*//' |
	grep -v -e top -e lend -e migrate -e drain >/commands
while read -r command; do
	case $command in
	# 1: it has found something, as on such a machine there may be.
	*doctor) types 0 "$command; [ \$? -le 1 ]" ;;
	# 1: nobody has made one here.
	*'channel remove'*) types 1 "$command" ;;
	*) types 0 "$command" ;;
	esac
done </commands
types 0 'slabctl log'
types 0 'slabctl audit'
kill -TERM $supervisor
wait $supervisor
types 0 'make uninstall'
echo "1..$n"
FOLLOW
exec unshare --mount --pid --fork --kill-child bash -c "
	mount -t proc proc '$debian/proc' &&
		mount --rbind /sys '$debian/sys' &&
		mount -t tmpfs tmpfs '$debian/run' &&
		mount -t tmpfs tmpfs '$debian/tmp' &&
		mount --rbind /dev '$debian/dev' &&
		cp -L /etc/resolv.conf '$debian/etc/resolv.conf'
		exec chroot '$debian' bash /follow"
