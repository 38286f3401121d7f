#!/bin/sh
# The main job on a throwaway server: a team's secret goes in by the command
# line, an app that declares it is deployed and run, and what the app prints
# shows the key in its environment and [redacted] in its output.
#
# INFSH names the program; everything else is made here and removed at the end.
# It fails if the app did not receive its key, or if the key appears anywhere
# in what was printed.
set -eu

infsh=${INFSH:?"set INFSH to the program; make demo does"}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
	rm -rf "$tmp"
}
trap cleanup EXIT INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
unset INFSH_API_KEY INFSH_URL INFSH_TEAM 2>/dev/null || true
export INFSH_CONFIG_DIR="$tmp/config"

say "1. A server on a free port, with its data in a throwaway folder"
"$infsh" serve --listen 127.0.0.1:0 --data-dir "$tmp/data" --log-level warn 2>"$tmp/server.log" &
server=$!
tries=0
until grep -q '^listening on ' "$tmp/server.log"; do
	tries=$((tries + 1))
	if [ $tries -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
		cat "$tmp/server.log" >&2
		exit 1
	fi
	sleep 0.1
done
INFSH_URL=$(sed -n 's/^listening on //p' "$tmp/server.log")
export INFSH_URL
echo "$INFSH_URL"

say "2. A user who owns the team acme, and an API key"
"$infsh" admin create-user --email ada@example.com --team acme --json --data-dir "$tmp/data" >"$tmp/user.json"
INFSH_API_KEY=$(sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p' "$tmp/user.json")
export INFSH_API_KEY
"$infsh" me

say "3. Two secrets, from standard input"
secret="sk-demo-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
other="sk_live_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
printf '%s\n' "$secret" | "$infsh" secrets set OPENAI_API_KEY -d "For GPT-4 API calls"
printf '%s\n' "$other" | "$infsh" secrets set STRIPE_SECRET_KEY -d "Payments"
"$infsh" secrets list

say "4. An app that declares one of them"
cat "$here/summarise/app.yaml"
"$infsh" app deploy "$here/summarise"
"$infsh" app check "$here/summarise"

say "5. The app runs, and prints its key in three ways"
(cd "$here/summarise" && "$infsh" run -- ./main.sh) >"$tmp/output" 2>&1 || { cat "$tmp/output" >&2; exit 1; }
cat "$tmp/output"

say "6. What the app received, and what was redacted"
fail() { echo "FAILED: $*" >&2; exit 1; }
grep -q "The key has ${#secret} characters" "$tmp/output" || fail "the app did not receive OPENAI_API_KEY"
grep -q 'Bearer \[redacted\]' "$tmp/output" || fail "the key was not redacted"
for form in "$secret" "$(printf '%s' "$secret" | base64)" "$other"; do
	! grep -qF -- "$form" "$tmp/output" || fail "a value was printed"
done
grep -q 'STRIPE_SECRET_KEY is not here' "$tmp/output" || fail "an undeclared secret was injected"
grep -q 'INFSH_API_KEY is not here' "$tmp/output" || fail "the runner's credential was handed on"
echo "received: OPENAI_API_KEY (${#secret} characters), and nothing else of the team's"
echo "redacted: $(grep -oF '[redacted]' "$tmp/output" | wc -l | tr -d ' ') times"
