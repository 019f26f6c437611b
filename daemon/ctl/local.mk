# SPDX-License-Identifier: MIT
# slabctl: a client of the admin socket.
libctl_a_SOURCES += \
	daemon/ctl/act.c \
	daemon/ctl/advise.c \
	daemon/ctl/advise.h \
	daemon/ctl/advise_trace.c \
	daemon/ctl/advise_write.c \
	daemon/ctl/arenas.c \
	daemon/ctl/args.c \
	daemon/ctl/args.h \
	daemon/ctl/args_usage.c \
	daemon/ctl/audit.c \
	daemon/ctl/clients.c \
	daemon/ctl/child.c \
	daemon/ctl/child.h \
	daemon/ctl/complete.c \
	daemon/ctl/complete.h \
	daemon/ctl/doc.c \
	daemon/ctl/doc.h \
	daemon/ctl/doctor.c \
	daemon/ctl/drain.c \
	daemon/ctl/dump.c \
	daemon/ctl/file.c \
	daemon/ctl/file.h \
	daemon/ctl/history.c \
	daemon/ctl/http.c \
	daemon/ctl/http.h \
	daemon/ctl/leaks.c \
	daemon/ctl/lists.c \
	daemon/ctl/nodes.c \
	daemon/ctl/objpools.c \
	daemon/ctl/plan.c \
	daemon/ctl/pool.c \
	daemon/ctl/rates.c \
	daemon/ctl/rates.h \
	daemon/ctl/save.c \
	daemon/ctl/save.h \
	daemon/ctl/show.h \
	daemon/ctl/status.c \
	daemon/ctl/table.c \
	daemon/ctl/table.h \
	daemon/ctl/text.c \
	daemon/ctl/text.h \
	daemon/ctl/top.c \
	daemon/ctl/top.h \
	daemon/ctl/top_draw.c \
	daemon/ctl/top_draw.h \
	daemon/ctl/upgrade.c \
	daemon/ctl/upgrade.h \
	daemon/ctl/upgrade_show.c \
	daemon/ctl/verbs.c \
	daemon/ctl/verbs.h

bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_zshcomp_DATA = daemon/completion/_slabctl
dist_fishcomp_DATA = daemon/completion/slabctl.fish
zshcomp_DATA =
fishcomp_DATA =
EXTRA_DIST += daemon/completion/slabctl.bash
nodist_bashcomp_DATA = daemon/completion/slabctl

# bash looks for a file of the command's name.
daemon/completion/slabctl: daemon/completion/slabctl.bash
	$(AM_V_GEN)$(MKDIR_P) daemon/completion && \
	cp $(srcdir)/daemon/completion/slabctl.bash $@
CLEANFILES += daemon/completion/slabctl

bin_PROGRAMS += daemon/slabctl
daemon_slabctl_SOURCES = daemon/ctl/slabctl.c
daemon_slabctl_LDADD = libctl.a $(advice_libs) $(ctl_libs)
