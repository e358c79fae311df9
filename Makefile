# `make up` runs the platform, `make test` runs every test; both install what is missing first. `make help` lists all.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := bin/stampede
DATA ?= .stampede
CATALOG ?=
UPFLAGS ?=
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
PACKAGES = $(shell go list ./... | grep -v /test/e2e)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: build ## install what is missing, run the whole platform here (CATALOG=FILE, DATA=DIR, UPFLAGS="…")
	$(BIN) up --detach --data "$(DATA)" $(if $(CATALOG),--catalog "$(CATALOG)") $(UPFLAGS)

.PHONY: down
down: ## stop the platform; the data stays in DATA
	$(BIN) down --data "$(DATA)"

.PHONY: build
build: ## build bin/stampede
	@scripts/install up
	@mkdir -p bin
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/stampede

.PHONY: test
test: ## install what is missing, run every test: race detector on, then end to end on the plain binary
	@scripts/install test
	go test -race -timeout 25m $(PACKAGES)
	go test -timeout 18m -count=1 ./test/e2e/...

# The engine of ClickHouse, of which no server is to be had everywhere, is 180 MB of a package of npm, for Linux on amd64. It does not bear the race detector.
CHDB := @chdb/lib-linux-x64-gnu@26.7.3-stable.1
LIBCHDB = $(CURDIR)/bin/chdb/package/libchdb.so

.PHONY: test-clickhouse
test-clickhouse: ## test the event store, and a whole platform with it, on ClickHouse's own engine, which is fetched (180 MB)
	@scripts/install test
	@mkdir -p bin/chdb
	@test -e $(LIBCHDB) || { cd bin/chdb && npm pack --silent $(CHDB) | xargs tar xzf && rm -f *.tgz; }
	STAMPEDE_LIBCHDB=$(LIBCHDB) go test -count=1 -timeout 8m ./analytics/clickstore/...

# Tests with a long form read STAMPEDE_SOAK, mostly by localtest.Rounds, and go on for STAMPEDE_SOAK_FOR each.
SOAK_FOR ?= 10m
SOAKED = $(sort $(dir $(shell grep -rlE --include='*_test.go' 'STAMPEDE_SOAK|localtest\.Rounds' .)))
SOAK = STAMPEDE_SOAK=1 STAMPEDE_SOAK_FOR=$(SOAK_FOR) go test -count=1 -timeout 0

.PHONY: soak
soak: ## search for rare faults: histories, models, kills, moves, failover, lag; hours (SOAK_FOR=10m for each test)
	@scripts/install test
	$(SOAK) -race -p 1 -parallel 6 $(filter-out ./test/e2e/,$(SOAKED))
	$(SOAK) ./test/e2e/...

.PHONY: scale
scale: build ## measure a platform of its own and print the tables of docs/scale.md; six quiet minutes
	scripts/scale

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, shell syntax; generated code is current
	@scripts/install lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	cd tools && go build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...
	bash -n scripts/install scripts/rolling scripts/scale .ci/run
	@$(MAKE) --no-print-directory check-generated

.PHONY: generate
generate: ## regenerate what is made from SQL and from the API's code
	cd tools && go build -o ../bin/sqlc github.com/sqlc-dev/sqlc/cmd/sqlc
	cd internal/postgres && ../../bin/sqlc generate
	go run ./cmd/stampede openapi > docs/openapi.json.tmp && mv docs/openapi.json.tmp docs/openapi.json

.PHONY: check-generated
check-generated: ## fail when generated files are not current
	cd tools && go build -o ../bin/sqlc github.com/sqlc-dev/sqlc/cmd/sqlc
	cd internal/postgres && ../../bin/sqlc diff
	go run ./cmd/stampede openapi | diff -q - docs/openapi.json || { echo "docs/openapi.json is old: run make generate"; exit 1; }

.PHONY: bench
bench: build ## run the benchmarks (NAME=one)
	@scripts/install bench
	go run ./bench $(NAME)

.PHONY: clean
clean: ## remove what was built; the data stays
	rm -rf bin
