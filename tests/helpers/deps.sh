#!/usr/bin/env bash
# deps.sh - the one place that installs what Plimsoll needs: distribution packages and build/venv.
#
#	tests/helpers/deps.sh [build|all|bench]
#
# build: compiler and libraries only. all (the default): also the servers and tools of the tests and
# the demo, and the Python environment build/venv. bench: what make bench holds us against. Quiet; says nothing and needs no network when all
# is there. Packages are installed as root, or with sudo; no service is started by an installation.
#
# DIAGNOSTICS
#	Exit 0 all there; 100 something is missing and cannot be installed here (it says what).
set -euo pipefail
cd "$(dirname "$0")/../.."

BUILD_PACKAGES="build-essential pkg-config libcurl4-openssl-dev libjansson-dev libssl-dev
	libyaml-dev zlib1g-dev libsqlite3-dev libhiredis-dev libzmq3-dev libmicrohttpd-dev libnghttp2-dev python3"
TEST_PACKAGES="libcmocka-dev python3-venv prometheus prometheus-pushgateway nginx-light jq
	sqlite3 curl openssl shellcheck cppcheck clang-format ca-certificates procps redis-server
	systemd nftables iproute2 valgrind"
BENCH_PACKAGES="wrk nghttp2-client apache2-utils hey"

say() { printf 'deps: %s\n' "$*" >&2; }
die() { say "$*"; exit 100; }

# Prints the packages of $1 that are not installed. Either nginx package serves.
missing_packages() {
	local name
	for name in $1; do
		[ "$name" = nginx-light ] && command -v /usr/sbin/nginx >/dev/null && continue
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null |
			grep -q '^install ok installed$' || printf '%s ' "$name"
	done
}

# Runs "$@" as root.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root or sudo to run: $*"
	fi
}

# Debian's packages of servers start them on installation. A policy-rc.d that says no keeps them
# stopped; it is taken away again, and one that is already there is left alone.
with_no_services() {
	local policy=/usr/sbin/policy-rc.d rc=0
	if [ -e "$policy" ]; then
		as_root "$@" || rc=$?
		return $rc
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	as_root "$@" || rc=$?
	as_root rm -f "$policy"
	return $rc
}

apt_install() {
	# shellcheck disable=SC2086 # a list of names
	with_no_services env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 $1
}

install_packages() {
	local missing log=build/deps.log
	command -v dpkg-query >/dev/null || { say "not a Debian system: packages are yours to install ($1)"; return; }
	missing=$(missing_packages "$1")
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || die "missing: $missing"
	mkdir -p build
	say "installing $missing"
	if ! { as_root apt-get update -qq && apt_install "$missing"; } >"$log" 2>&1; then
		tail -20 "$log" >&2
		die "could not install: $missing (all of it: $log)"
	fi
}

# The first python3 of at least 3.11 that can make environments.
find_python() {
	local p
	for p in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
		if "$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			printf '%s\n' "$p"
			return
		fi
	done
	die "no python3 of at least 3.11 with the venv module (Debian: python3-venv)"
}

# build/venv is made again when requirements.txt changed; the stamp is written last.
make_venv() {
	local want=tests/helpers/requirements.txt venv=build/venv python
	cmp -s "$want" "$venv/requirements.done" && "$venv/bin/python" -c '' 2>/dev/null && return
	python=$(find_python)
	say "making $venv"
	rm -rf "$venv"
	mkdir -p build
	if ! { "$python" -m venv "$venv" &&
		"$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$want"; } >build/venv.log 2>&1; then
		tail -20 build/venv.log >&2
		die "could not make $venv (all of it: build/venv.log)"
	fi
	cp "$want" "$venv/requirements.done"
}

case ${1:-all} in
build) install_packages "$BUILD_PACKAGES" ;;
all)
	install_packages "$BUILD_PACKAGES $TEST_PACKAGES"
	make_venv
	;;
bench) install_packages "$BENCH_PACKAGES" ;;
*) die "what is '$1'? build, all or bench" ;;
esac
