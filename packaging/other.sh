#!/bin/sh
# SPDX-License-Identifier: MIT
# other.sh INTO: makes INTO/daemon/slabd, a slabd of the sources in build/package
# whose memory has another layout: one that can't take over what theirs has. For
# tests of an upgrade.
set -eu
package=$(cd "$(dirname "$0")/.." && pwd)/build/package
into=$1
mkdir -p "$into"
cd "$into"
tar xf "$package"/slabd_*.orig.tar.xz --strip-components=1
version=$(sed -n 's/^#define LAYOUT_VERSION \([0-9]*\)u$/\1/p' shm/layout.h)
[ -n "$version" ]
sed -i "s/^\(#define LAYOUT_VERSION\) .*/\1 $((version + 1))u/" shm/layout.h
# As debian/rules has it, for where slabd looks for its configuration.
./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
	--disable-dependency-tracking
make -j "${SLABD_JOBS:-$(nproc)}" daemon/slabd
