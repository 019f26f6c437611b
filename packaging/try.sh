#!/bin/bash
# SPDX-License-Identifier: MIT
# The packages of build/package in a Debian of their own, below it: installed,
# used, upgraded under a worker, removed and purged; and tried by autopkgtest, with
# what debian/tests has. Prints TAP. As root; the Debian has mounts and processes of
# its own, no systemd, and slabd pages of 4 KiB, so that nothing of the machine
# around it changes.
set -u
export LC_ALL=C.UTF-8
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top/build/package" || exit 2
here=$PWD debian=$PWD/debian

# Names of what the packages depend on, besides each other, and the test needs.
needed() {
	local package
	{
		for package in ./*.deb; do
			case $package in *dbgsym*) continue ;; esac
			dpkg-deb -f "$package" Depends |
				tr ',' '\n' | sed 's/^ *//; s/[ (|].*//' |
				grep -v -e '^$' -e '^slab' -e '^libslab'
		done
		printf '%s\n' gcc libc6-dev pkgconf jq systemd procps
	} | sort -u | paste -sd,
}

if [ "$(id -u)" != 0 ]; then
	echo "Bail out! a Debian is made as root"
	exit 1
fi
source=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(ORIGIN)' \
	'Created-By: Packages' | awk -v name="$(. /etc/os-release &&
		echo "$VERSION_CODENAME")" '$2 == name && $3 == "Debian" {
			print $1, name; exit }')
read -r site codename <<<"$source"
rm -rf --one-file-system "$debian"
unshare --mount debootstrap --variant=minbase --include="$(needed)" \
	"$codename" "$debian" "$site" >debootstrap.log 2>&1 || {
	tail -n 5 debootstrap.log >&2
	echo "Bail out! no Debian could be made, see $here/debootstrap.log"
	exit 1
}
mkdir "$debian/packages" && cp ./*.deb "$debian/packages" || exit

# A later revision of the same, for the upgrade.
mapfile -t packages < <(ls ./*.deb | grep -v dbgsym)
"$top/packaging/again.sh" +again "$debian/again" "${packages[@]}" &&
	cp "$top/packaging/shown.sh" "$debian/packages/" || exit

cat >"$debian/set-up" <<'SETUP'
mkdir -p /etc/slabd/slabd.conf.d
printf '[pool default]\npage = 4k\nstart = 4M\nmax = 64M\n' \
	>/etc/slabd/slabd.conf.d/50-try.conf
SETUP
cat >"$debian/try" <<'TRY'
set -u
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
n=0 failed=0

ok() { # TITLE COMMAND...
	n=$((n + 1))
	title=$1
	shift
	if "$@" >/log 2>&1; then
		echo "ok $n - $title"
	else
		failed=$((failed + 1))
		echo "not ok $n - $title"
		tail -n 20 /log | sed 's/^/# /'
	fi
}

until_true() { # COMMAND...: within a minute
	i=0
	while ! "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ "$i" -lt 600 ] || return 1
		sleep 0.1
	done
}

shown() {
	/packages/shown.sh /packages /again '/shown.*' /log
}

not() { ! "$@"; }
wanted() { [ -h "/etc/systemd/system/$1.target.wants/$2" ]; }
pid() { slabctl --json status | jq .pid; }
is_another() { now=$(pid) && [ -n "$now" ] && [ "$now" != "$old" ]; }
# As if systemd ran, which notes what it is told; slabctl as it is, or one that
# says no.
play() { # yes, no
	mkdir -p /run/systemd/system
	rm -f /told /usr/local/sbin/slabctl
	printf '#!/bin/sh\nexit 0\n' >/usr/local/sbin/systemctl
	printf '#!/bin/sh\necho "$*" >>/told\n' \
		>/usr/local/sbin/deb-systemd-invoke
	[ "$1" = yes ] || printf '#!/bin/sh\nexit 1\n' \
		>/usr/local/sbin/slabctl
	chmod +x /usr/local/sbin/*
}
unplay() {
	rm -rf /run/systemd/system /told /usr/local/sbin/*
}
told() { grep -qx "$1" /told; }
packages='slabd slabctl libslabclient0 libslabclient-dev'

shown >/shown.before
ok "the packages are installed" sh -c 'dpkg -i $(ls /packages/*.deb |
	grep -v dbgsym)'
ok "the service is enabled" wanted multi-user slabd.service
ok "the socket is not" not wanted sockets slabd.socket
ok "the group is there" getent group slabd
ok "the configuration is a conffile" sh -c \
	"dpkg-query -W -f '\${Conffiles}' slabd | grep -q /etc/slabd/slabd.conf"
ok "the packages have their manuals" sh -c 'for page in slabctl/man1/slabctl.1 slabctl/man1/slab-record.1 \
	slabd/man8/slabd.8 slabd/man5/slabd.conf.5 \
	libslabclient-dev/man3/slabclient.3; do
	dpkg -L ${page%%/*} | grep -q /${page#*/} || exit; done'
ok "both programs complete in each shell" sh -c 'for file in \
	bash-completion/completions/slabctl bash-completion/completions/slab-record \
	zsh/vendor-completions/_slabctl zsh/vendor-completions/_slab-record \
	fish/vendor_completions.d/slabctl.fish \
	fish/vendor_completions.d/slab-record.fish; do
	dpkg -L slabctl | grep -qx /usr/share/$file || exit; done'
ok "slab-record records" sh -c 'slab-record -o /tmp/x.trace.zst ls / 2>&1 >/dev/null |
	grep " events of 1 thread"'
sh /set-up

echo "# an upgrade under a worker"
cat >/worker.c <<'C'
#include <slabclient.h>
#include <unistd.h>
int main(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache = pool ? slabd_cache_create(pool, "a", 64, 0, 0) : 0;
	void *obj = 0;
	for (;;) {
		if (!cache || !(obj = slabd_alloc(cache)))
			return 1;
		slabd_free(cache, obj);
		usleep(1000);
	}
}
C
ok "a worker is compiled" sh -c \
	'cc -o /worker /worker.c $(pkg-config --cflags --libs slabclient)'
slabd --supervise 2>/slabd.log &
supervisor=$!
until_true slabctl status
/worker &
worker=$!
has_client() { slabctl --json clients | jq -e '.pools[0].clients | length == 1'; }
ok "it is a client" until_true has_client
slabctl set hold 3s >/dev/null
ok "a setting is saved" slabctl save
play yes
ok "a later revision is installed" sh -c 'dpkg -i /again/*.deb'
ok "slabd would be restarted" told "restart slabd.service"
play no
ok "and once more, with a slabctl that says no" sh -c 'dpkg -i /again/slabd_*.deb \
	>/tmp/said 2>&1'
ok "which is said" grep "not take over its memory" /tmp/said
ok "slabd would not be restarted" not told "restart slabd.service"
unplay
ok "the new slabd takes the memory over" slabctl upgrade --check
ok "of which the program is the installed one" sh -c \
	'slabctl --json upgrade --check | jq -e ".installed.program == \"/usr/sbin/slabd\""'
# With SIGTERM it would end, and its supervisor.
old=$(pid)
kill -KILL "$old"
ok "slabd is started anew" until_true is_another
ok "from the new program" sh -c \
	"[ \"\$(readlink /proc/$(pid)/exe)\" = /usr/sbin/slabd ]"
ok "the worker has gone on" kill -0 "$worker"
ok "and all agrees" slabctl audit
kill "$worker"
kill "$supervisor"
ok "slabd ends well" wait "$supervisor"


echo "# the end"
rm -f /worker /worker.c /slabd.log
ok "the packages are removed" dpkg -r $packages
ok "the configuration stays" test -e /etc/slabd/slabd.conf
rm /etc/slabd/slabd.conf.d/50-try.conf
ok "the packages are purged" dpkg -P $packages
shown >/shown.after
ok "and have left nothing" diff /shown.before /shown.after
[ "$failed" = 0 ]
TRY
# inside COMMAND: with the Debian's mounts; its processes end with it.
inside() {
	unshare --mount --pid --fork --kill-child bash -c "
		mount -t proc proc '$debian/proc' &&
			mount --rbind /sys '$debian/sys' &&
			mount -t tmpfs tmpfs '$debian/run' &&
			mount -t tmpfs tmpfs '$debian/tmp' &&
			mount --rbind /dev '$debian/dev' && $1"
}

inside "chroot '$debian' sh /try" | tee try.log
status=${PIPESTATUS[0]}
n=$(grep -c -e '^ok ' -e '^not ok ' try.log)
title="autopkgtest passes"
if ! command -v autopkgtest >/dev/null; then
	echo "ok $((n + 1)) - $title # SKIP it is not installed"
elif inside "autopkgtest --no-built-binaries ${packages[*]} '$here'/slabd-*/ \
	--setup-commands 'sh /set-up' -- chroot '$debian'" >autopkgtest.log 2>&1; then
	echo "ok $((n + 1)) - $title"
	awk '/@@@@ summary/ { on = 1 } on && / (PASS|SKIP|FLAKY)/ {
		print "# " $0 }' autopkgtest.log
else
	status=1
	echo "not ok $((n + 1)) - $title"
	tail -n 30 autopkgtest.log | sed 's/^/# /'
fi
echo "1..$((n + 1))"
exit "$status"
