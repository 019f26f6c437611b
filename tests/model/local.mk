# SPDX-License-Identifier: MIT
# The protocol's models, explored by spin: once, in gcc's build.
if !SANITIZED
tap_scripts += tests/model/run.sh
endif
EXTRA_DIST += tests/model/README.md tests/model/run.sh tests/model/base.pml \
	tests/model/tags_lease.pml tests/model/ident.pml \
	tests/model/carve.pml tests/model/channel.pml tests/model/gifts.pml tests/model/heir.pml \
	tests/model/forward.pml tests/model/lend.pml \
	tests/model/objpool.pml tests/model/roots.pml tests/model/turn.pml \
	tests/model/want.pml
