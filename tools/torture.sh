#!/bin/sh
# The long forms of the tests: the crash tests with all their kills, faults,
# floods and stress, a million samples of redacted output, a soak of INFSH_SOAK
# (default 5m), and each fuzz target for FUZZTIME (default 60s).
set -eu
echo "== crash tests"
INFSH_TORTURE=1 go test -v -timeout 3h -run 'Killed|AfterAKill|FollowsASync|Failover|HistoryOfOneKey' ./e2e
echo "== a rolling update from the release before"
INFSH_TORTURE=1 go test -v -tags torture -timeout 1h -run RollingUpdate ./e2e
echo "== migrations cut off before each message"
INFSH_TORTURE=1 go test -v -timeout 3h -run 'MigrationsKilled' ./db
echo "== a pair that changes during 1,000 resolves"
INFSH_TORTURE=1 go test -v -timeout 3h -run 'AResolveSeesOneSnapshot' ./secret
echo "== what an app receives, in random worlds"
INFSH_TORTURE=1 go test -v -timeout 3h -run TestResolvedIsDeclaredAndGrantedAndSet ./secret
echo "== a million samples of redacted output, and a gigabyte without secrets"
INFSH_TORTURE=1 go test -v -timeout 3h -run 'NoFormOfAValue|SoupIsMasked|PassUnchanged' ./redact
echo "== faults, floods and stress"
INFSH_TORTURE=1 go test -v -timeout 3h -run 'Faults|Flood|FewDescriptors|ManyWriters' ./e2e
echo "== soak"
INFSH_TORTURE=1 INFSH_SOAK=${INFSH_SOAK:-5m} go test -v -timeout 3h -run Soak ./e2e
time=${FUZZTIME:-60s}
for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
	dir=$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "== $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "./$dir"
	done
done
