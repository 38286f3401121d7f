#!/bin/sh
# Makes sure that what the tests need is there: a C compiler for the race
# detector, Chromium for the browser tests, PostgreSQL and pgbouncer, which the
# tests start themselves, strace, which watches the syncs, and Node with the
# official SDK, a validator of OpenAPI documents and axe-core, which the browser
# tests run in each page. On Debian and as root it installs what is missing;
# elsewhere it says what to install. Once it has run the tests need no network.
set -eu

# has also looks where Debian keeps the programs of PostgreSQL and pgbouncer.
has() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1
}

need() { # command, Debian package
	has "$1" && return 0
	echo "The tests need $1." >&2
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "Installing Debian's package $2 …" >&2
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y --no-install-recommends "$2" >/dev/null 2>&1 ||
			{ apt-get update >/dev/null && apt-get install -y --no-install-recommends "$2" >/dev/null; }
	fi
	if ! has "$1"; then
		echo "Install it and run this again; on Debian: apt-get install $2" >&2
		exit 1
	fi
}

need go golang-go
need gcc gcc
need git git
need strace strace
need dbus-run-session dbus
need gnome-keyring-daemon gnome-keyring
if [ -z "${INFSH_TEST_POSTGRES:-}" ]; then
	need initdb postgresql
fi
need pgbouncer pgbouncer
if ! command -v chromium >/dev/null 2>&1 && [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ]; then
	: # The tests use the browser that CHROMIUM names.
else
	need chromium chromium
fi
need node nodejs
need npm npm

# The SDK, the validator and axe-core, exactly as the lock says, into a folder that git ignores.
sdk=$(dirname "$0")/../e2e/sdk
if ! cmp -s "$sdk/package-lock.json" "$sdk/node_modules/.lock-installed"; then
	echo "Installing the official SDK, a validator and axe-core into e2e/sdk/node_modules …" >&2
	npm ci --prefix "$sdk" --legacy-peer-deps --ignore-scripts --no-audit --no-fund >/dev/null ||
		{ echo "npm could not install the SDK; see above." >&2 && exit 1; }
	cp "$sdk/package-lock.json" "$sdk/node_modules/.lock-installed"
fi
