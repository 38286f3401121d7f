# make run    build infsh with Go alone and start it on http://127.0.0.1:8080
# make test   install what the tests need, and run them all
# make race   run them all under the race detector, which takes far longer
# make demo   the main job on a throwaway server, shown step by step
# make lint   what CI checks beside the tests
# make css    build static/app.css again (needs Node, for developers only)

GO ?= go
STATICCHECK = $(GO) tool -modfile=tools.mod staticcheck

.PHONY: run build test demo bench race torture lint generate css test-needs clean

run: build
	./infsh serve

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o infsh .

# The race detector makes the tests of all routes and of whole servers six times
# slower. So here it watches what shares memory by its own means, and everything
# in make race.
CONCURRENT = ./conns ./feed ./redact ./runner

# It watches all Go code but SQLite's own, which is translated from C. SQLite's
# driver must be watched: it holds copies of the generic code of package sync.
RACE = -race '-gcflags=modernc.org/sqlite/lib=-race=false'

test: test-needs
	$(GO) test -timeout 20m ./...
	$(GO) test $(RACE) -timeout 20m $(CONCURRENT)
	$(GO) test $(RACE) -timeout 20m -run 'Group|GivingUp|OneBadEntry|Concurrent|OlderThan|Lost' ./db

race: test-needs
	$(GO) test $(RACE) -timeout 2h ./...

# Installs what the tests need if it is missing and that is permitted; else it
# says what to install.
test-needs:
	@sh tools/test-needs.sh

demo: build
	@INFSH=$(CURDIR)/infsh sh examples/demo.sh

# The ratios of the built program to its limits, and how they change with the
# size: INFSH_BENCH_MAX_TEAMS=100000 goes up to a million secrets.
bench: test-needs
	$(GO) test -run '^$$' -bench . -benchmem ./envelope ./redact
	$(GO) test -run '^$$' -bench . -benchtime 5x -timeout 1h ./bench

# The long forms: every fuzz target for a while, and the property tests with
# many more samples.
torture: test-needs
	@sh tools/torture.sh

generate:
	$(GO) tool templ generate
	$(GO) tool templ fmt views
	$(GO) run ./tools/openapi api openapi/openapi.json
	$(GO) test -run TestManualPages . -update-man

css:
	@# Not npm ci: it fails where a registry lacks the builds for other systems.
	npm install --no-save --no-audit --no-fund
	npm run build

lint:
	@test -z "$$(gofmt -l .)" || { echo "not formatted by gofmt:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags torture ./e2e
	$(STATICCHECK) ./...
	$(GO) mod tidy -diff

clean:
	rm -rf infsh node_modules
