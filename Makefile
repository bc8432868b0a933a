# The only makefile. `make help` lists the targets. Output goes to build/$(MODE).
MODE ?= release
PREFIX ?= /usr/local
CC ?= cc
PYTHON ?= python3
VENV := $(CURDIR)/build/venv/bin/python
VERSION := 0.1.0

B := build/$(MODE)
PROGRAMS := plimsoll $(addprefix plimsoll-,watcher planner loader collector sink)
COMMON := $(shell sed -n 's/^[0-9][0-9]* //p' common/RANKS)
PACKAGES := libcurl jansson libcrypto libssl yaml-0.1 zlib sqlite3 hiredis libzmq libmicrohttpd libnghttp2

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wvla -Wconversion -fno-common -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection $(CONTROL_FLOW) -fPIE
CONTROL_FLOW := $(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Crash points are in (common/base/crash.h): for make check-fault, never to be installed.
FLAGS_fault := -O2 -g -DPLIMSOLL_FAULT
# For clang's libFuzzer (make fuzz-http1); the coverage of our objects leads it. The last word is gcc's own.
FLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-sign-conversion -D__SANITIZE_ADDRESS__
FUZZ_CC ?= clang
ifeq ($(FLAGS_$(MODE)),)
$(error MODE=$(MODE) is not known; use release, debug, asan, fault or fuzz)
endif

OUR_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -DPLIMSOLL_VERSION='"$(VERSION)"' -include common/base/banned.h \
	$(WARN) $(HARDEN) $(FLAGS_$(MODE)) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
# The loader answers for the CPU that a request takes: the compiler sees all files of its hot path
# at once. Their objects hold ordinary code too, for the other programs.
LTO_release := $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
LTO := $(LTO_$(MODE))
LTO_FILES := $(addsuffix /%,cmd/loader common/base common/engine common/measure common/stats)
OUR_LDFLAGS = $(HARDEN_LD) $(if $(LTO),-fno-lto) $(filter -fsanitize%,$(FLAGS_$(MODE)))
OUR_LDLIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

# One short line a step; V=1 shows the commands.
Q = $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$@' &&)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
ARCHIVES := $(foreach d,$(COMMON),$(if $(wildcard common/$(d)/*.c),$(B)/common/$(d).a))
UNIT_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
# Targets of libFuzzer: tests/fuzz/X.c holds fuzz_X().
LIBFUZZERS := http1 http2
FUZZERS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
BUILT_PROGRAMS := $(foreach p,$(PROGRAMS),$(if $(wildcard cmd/$(patsubst plimsoll-%,%,$(p))/$(patsubst plimsoll-%,%,$(p)).c),$(B)/$(p)))

# Dashboards and rules may ask only for metrics of the table: a renamed one ends the build here.
$(B)/grafana.checked: common/prom/metrics.def grafana/generate.py grafana/rules.yml $(wildcard grafana/dashboards/*)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) grafana/generate.py --check && touch $@

all: $(BUILT_PROGRAMS) $(B)/grafana.checked ## build all programs into build/$(MODE)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(OUR_CFLAGS) $(if $(filter $(LTO_FILES),$<),$(LTO)) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The assembler puts it in (.incbin), unseen by -MMD.
$(B)/common/jobs/library.o: common/jobs/pl.lua

define archive_rule
$(B)/common/$(1).a: $(call objects,common/$(1))
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach d,$(COMMON),$(eval $(call archive_rule,$(d))))

# One folder under cmd/ is one program; plimsoll-X comes from cmd/X. The units of a stage that a
# unit test needs are linked from its archive (everything but the file that holds main).
# What pkg-config says is asked when a program is linked: `make deps all` installs it before that.
define program_rule
$(B)/$(1): $(call objects,cmd/$(2)) $(ARCHIVES)
	$$(call say,LD) $(CC) $(OUR_LDFLAGS) $(if $(and $(filter plimsoll-loader,$(1)),$(LTO)),$(LTO) -O2) $(LDFLAGS) -o $$@ $(call objects,cmd/$(2)) \
		-Wl,--start-group $(ARCHIVES) -Wl,--end-group $$(OUR_LDLIBS) $(LDLIBS)
$(B)/cmd/$(2).a: $(filter-out $(B)/cmd/$(2)/$(2).o,$(call objects,cmd/$(2)))
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p),$(patsubst plimsoll-%,%,$(p)))))

# tests/unit/test_planner_x.c may use cmd/planner: its archive is linked when the name says so.
stage_of = $(foreach s,watcher planner loader collector sink plimsoll,$(if $(filter test_$(s)_%,$(1)),$(B)/cmd/$(s).a))
.SECONDEXPANSION:
$(B)/tests/unit/%: $(B)/tests/unit/%.o $$(call stage_of,$$*) $(ARCHIVES)
	$(call say,LD) $(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(call stage_of,$*) \
		-Wl,--start-group $(ARCHIVES) -Wl,--end-group $(OUR_LDLIBS) $(LDLIBS) -lcmocka

# It replays what libFuzzer kept.
$(B)/tests/unit/test_fuzz_corpus: $(addprefix $(B)/tests/fuzz/,$(addsuffix .o,$(LIBFUZZERS)))

# Programs that only the tests need, from one file each.
TEST_PROGRAMS := $(patsubst tests/helpers/%.c,$(B)/tests/%,$(wildcard tests/helpers/*.c))
BENCH_PROGRAMS := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(ARCHIVES)
	$(call say,LD) $(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(OUR_LDLIBS) $(LDLIBS)
$(B)/tests/%: $(B)/tests/helpers/%.o $(ARCHIVES)
	$(call say,LD) $(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(OUR_LDLIBS) $(LDLIBS)

deps: ## install the distribution packages and build/venv that are missing
	@tests/helpers/deps.sh

demo: deps ## eight changes of functions on a real API, and their verdicts (KEEP=1 leaves it running)
	@$(MAKE) --no-print-directory MODE=release all
	@$(VENV) pipelines/demo/demo.py

services-demo: deps ## the services without systemd, the changes of the demo, and a kill -9 every few seconds
	@$(MAKE) --no-print-directory MODE=release all
	@$(VENV) pipelines/services/demo.py

test: deps ## everything: unit tests, lint, integration tests; the last line is the sum
	@MAKE='$(MAKE)' $(VENV) tests/helpers/run_all.py all check-unit lint check-integration

check-unit: ## unit tests, built with ASan and UBSan
	@$(MAKE) --no-print-directory MODE=asan run-unit

unit-tests: $(UNIT_TESTS)
run-unit: $(UNIT_TESTS)
	@$(PYTHON) tests/helpers/run_unit.py $(UNIT_TESTS)

PYTEST = PLIMSOLL_BUILD=$(CURDIR)/$(B) $(VENV) -m pytest -c tests/pytest.ini --basetemp=$(CURDIR)/build/pytest -o cache_dir=$(CURDIR)/build/pytest-cache
check-integration: all $(TEST_PROGRAMS) bench-programs ## integration tests against real servers (T=path or -k words for a part)
	@$(if $(T),$(PYTEST) $(T),$(ALL_INTEGRATION))

# Most tests wait: those go side by side, a file at a time. Those that measure come afterwards, alone, and then what
# failed is tried once more.
SIDE_BY_SIDE ?= 3
ALL_INTEGRATION = $(PYTEST) -n $(SIDE_BY_SIDE) --dist loadfile -m 'not measures' --cache-clear tests/integration; first=$$?; \
	$(PYTEST) -m measures tests/integration && [ $$first = 0 ] || PLIMSOLL_AGAIN=1 $(PYTEST) --last-failed --last-failed-no-failures none tests/integration

check-fault: deps ## dies at every labelled point once, and looks at the invariants (ONLY=word)
	@$(MAKE) --no-print-directory MODE=fault all build/fault/tests/witness
	@$(VENV) tests/fault/check_fault.py --only '$(ONLY)'

check-fault-long: deps ## the same at passes 1, 2 and 5, each with kill, stop and abort
	@$(MAKE) --no-print-directory MODE=fault all build/fault/tests/witness
	@$(VENV) tests/fault/check_fault.py --long --only '$(ONLY)'

check-model: deps ## a million random calls of the functions of Redis, against a model (CALLS=n SEED=n)
	@$(VENV) tests/fault/model_check.py $(if $(CALLS),--calls $(CALLS)) $(if $(SEED),--seed $(SEED))

check-mutants: deps ## bugs put in on purpose: is each found? (ONLY=word)
	@$(VENV) tests/fault/mutants.py $(ONLY)

chaos: deps ## 10,000 changes of 800 functions and 2,000 kills (SEED=n EVENTS=n FUNCTIONS=n FAULTS=n SECONDS=n)
	@$(MAKE) --no-print-directory MODE=release all build/release/tests/witness
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/fault/chaos.py

check-cuts: deps ## a loader in a network of its own is cut off 20 times (root; SEED=n CUTS=n MOST=seconds)
	@$(MAKE) --no-print-directory MODE=release all build/release/tests/witness
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/fault/cuts.py

check-executors: deps ## every executor and shape against its plan and k6, a minute each (SCALE=n: 6 s times that)
	@$(MAKE) --no-print-directory MODE=release all build/release/tests/witness
	@PLIMSOLL_BUILD=$(CURDIR)/build/release PLIMSOLL_SCALE=$(or $(SCALE),10) $(VENV) -m pytest -c tests/pytest.ini -q tests/integration/test_executors.py

lint: ## format, layers, doors, banned calls, sizes, cppcheck, shellcheck
	@$(PYTHON) tests/lint/run.py $(L)

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(ARCHIVES)
	$(call say,LD) $(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(OUR_LDLIBS) $(LDLIBS)

fuzz: ## broken input for every parser, under ASan and UBSan (FUZZ_S=seconds SEED=n)
	@$(MAKE) --no-print-directory MODE=asan run-fuzz
run-fuzz: $(FUZZERS)
	@cd $(B) && for f in $(FUZZERS); do $(CURDIR)/$$f $(or $(FUZZ_S),60) $(or $(SEED),1) $(FUZZ) || exit 1; done

FUZZED := base engine # what their readers are linked from
$(B)/fuzz-%: $(B)/tests/fuzz/%.o tests/fuzz/driver.c $(foreach d,$(FUZZED),$(B)/common/$(d).a)
	$(call say,LD) $(CC) $(OUR_CFLAGS) $(subst fuzzer-no-link,fuzzer,$(OUR_LDFLAGS)) -DFUZZ_ONE=fuzz_$* -o $@ \
		tests/fuzz/driver.c $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(OUR_LDLIBS) $(LDLIBS)

# What is found anew goes to build/fuzz/corpus-X; tests/fuzz/corpus/X is only read.
fuzz-http1: ## HTTP/1 answers, by libFuzzer (clang) with ASan and UBSan (SECONDS=60)
	@$(MAKE) --no-print-directory MODE=fuzz CC='$(FUZZ_CC)' run-libfuzzer TARGET=http1
fuzz-http2: ## what an HTTP/2 server sends, by the same
	@$(MAKE) --no-print-directory MODE=fuzz CC='$(FUZZ_CC)' run-libfuzzer TARGET=http2
run-libfuzzer: $(B)/fuzz-$(TARGET)
	@mkdir -p $(B)/corpus-$(TARGET)
	@$(B)/fuzz-$(TARGET) -max_total_time=$(or $(SECONDS),60) -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
		-dict=tests/fuzz/$(TARGET).dict -artifact_prefix=$(B)/finding-$(TARGET)- $(B)/corpus-$(TARGET) tests/fuzz/corpus/$(TARGET)

deps-bench: deps ## install the peers of make bench that are packages: wrk, h2load, ab, hey
	@tests/helpers/deps.sh bench

bench: deps ## plimsoll load beside a floor and every peer found, half an hour (ROWS=h1,tls PEERS=wrk,k6 TURNS=5 PEERS_PATH=)
	@$(MAKE) --no-print-directory MODE=release all bench-programs
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/bench/bench.py
bench-programs: $(BENCH_PROGRAMS)

.PHONY: bench-verdicts
bench-verdicts: deps ## how often the verdict is right, over made-up runs whose truth is known (RUNS=1000)
	@$(MAKE) --no-print-directory MODE=release all build/release/tests/bench/simulate
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/bench/verdicts.py

.PHONY: check-verdicts
check-verdicts: deps ## 30 runs of equal and 30 of slower code on a real emulator: is each verdict right? (RUNS=n AT_ONCE=n, about 45 minutes)
	@$(MAKE) --no-print-directory MODE=release all
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/bench/emulator_runs.py

bench-page: ## the tables of the last make bench and make bench-verdicts into docs/BENCHMARKS.md and docs/VERDICT.md
	@$(PYTHON) tests/bench/page.py

count-instructions: deps ## instructions of a request, by callgrind (RECORD=1: the number that make test holds us to)
	@$(MAKE) --no-print-directory MODE=release all bench-programs
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/helpers/instructions.py $(if $(RECORD),--record)

bench-services: deps ## a change from Redis to the first byte at its target; 10,000 changes at once
	@$(MAKE) --no-print-directory MODE=release all
	@PLIMSOLL_BUILD=$(CURDIR)/build/release $(VENV) tests/bench/services.py

docs: all $(TEST_PROGRAMS) ## write the reference pages in docs/ again from the tables
	@$(PYTHON) tests/helpers/make_docs.py $(B) docs

# The units of systemd/ name programs and pages by the paths they are installed under.
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
REDIS ?= /usr/bin/redis-server
GATEWAY ?= /usr/bin/prometheus-pushgateway
fill_paths = sed -e 's,@BINDIR@,$(PREFIX)/bin,g' -e 's,@DATADIR@,$(PREFIX)/share/plimsoll,g' \
	-e 's,@DOCDIR@,$(PREFIX)/share/doc/plimsoll,g' -e 's,@REDIS@,$(REDIS),g' -e 's,@GATEWAY@,$(GATEWAY),g'

install: all install-units ## programs, pages and units into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/plimsoll $(DESTDIR)$(PREFIX)/share/doc/plimsoll/docs/decisions \
		$(DESTDIR)$(PREFIX)/share/plimsoll/grafana/dashboards
	install -m 755 $(BUILT_PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 docs/plimsoll.schema.json $(DESTDIR)$(PREFIX)/share/plimsoll
	install -m 644 grafana/rules.yml grafana/prometheus.yml $(DESTDIR)$(PREFIX)/share/plimsoll/grafana
	install -m 644 grafana/dashboards/*.json $(DESTDIR)$(PREFIX)/share/plimsoll/grafana/dashboards
	install -m 644 README.md HACKING.md CHANGELOG.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/plimsoll
	install -m 644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/plimsoll/docs
	install -m 644 docs/decisions/*.md $(DESTDIR)$(PREFIX)/share/doc/plimsoll/docs/decisions

install-units:
	install -d $(DESTDIR)$(UNIT_DIR)/plimsoll-.service.d $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d \
		$(DESTDIR)$(PREFIX)/share/plimsoll
	@for f in $(notdir $(wildcard systemd/*.service systemd/*.socket systemd/*.target systemd/*.slice)) plimsoll-.service.d/50-hardening.conf; do \
		$(fill_paths) systemd/$$f >$(DESTDIR)$(UNIT_DIR)/$$f && chmod 644 $(DESTDIR)$(UNIT_DIR)/$$f || exit 1; done
	install -m 644 systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/plimsoll.conf
	install -m 644 systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/plimsoll.conf
	install -m 644 systemd/redis.conf $(DESTDIR)$(PREFIX)/share/plimsoll

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 20

.PHONY: all deps deps-bench bench bench-programs bench-page count-instructions bench-services demo services-demo check-fault check-fault-long check-cuts check-executors check-model check-mutants chaos test check-unit run-unit unit-tests check-integration lint fuzz run-fuzz fuzz-http1 fuzz-http2 run-libfuzzer docs install install-units clean help
.PRECIOUS: $(B)/%.o

-include $(shell find $(B) -name '*.d' 2>/dev/null)
