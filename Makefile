# Everything that is checked is checked by `make test`, and by .ci/run, which
# adds the linters and the cross-builds.

GO ?= go
export CGO_ENABLED = 0

.PHONY: build test test-short lint cross

build:
	$(GO) build -trimpath -o gossh ./cmd/gossh

# The race detector needs cgo, and so a C compiler. The bulk transfers run without
# it at their full size, a gibibyte each way. testreport lists at the end which
# tests were skipped and why.
test: tools
	$(GO) test -count=1 -timeout 5m -run '^Test(Forward)?Bulk$$' ./integration_test
	CGO_ENABLED=1 $(GO) run ./scripts/testreport -race -timeout 40m ./...
	CGO_ENABLED=1 GOSSH_TEST_TRANSPORT=gossh $(GO) test -race -count=1 -timeout 10m ./client
	cd examples/sftp && $(GO) test -count=1 ./...

test-short:
	CGO_ENABLED=1 $(GO) test -race -short -timeout 10m ./...

.PHONY: tools
tools:
	@sh scripts/test-tools

lint:
	@sh scripts/lint

cross:
	@sh scripts/cross

.PHONY: bench
bench:
	GOSSH_BENCH=1 $(GO) test -count=1 -timeout 20m -v -run TestCompare ./bench

# OpenSSH's own regression suite with gossh in ssh's place: make regress
# TESTS="banner scp" for some of it, CLIENT=/usr/bin/ssh for ssh's own score,
# SUITE=dir for another suite than Debian's: a tree of OpenSSH in which make and
# make regress-binaries were run.
.PHONY: regress regress-all
regress: build
	@CLIENT="$(CLIENT)" SUITE="$(SUITE)" sh regress/run $(TESTS)

regress-all: build
	@CLIENT="$(CLIENT)" SUITE="$(SUITE)" sh regress/run -all $(TESTS)

# A kept connection over a bad link for SOAK (10m): see scripts/soak.
.PHONY: soak
soak:
	@SOAK="$(SOAK)" sh scripts/soak
