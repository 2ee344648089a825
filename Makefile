# The one list of commands. Each installs what it needs first and is quick when there is nothing to do.
# Options go through ARGS: `make run ARGS="--demo --http-addr 127.0.0.1:8080"`, `make e2e ARGS="login.spec.ts"`.
.PHONY: help run test check build bench e2e fuzz fmt clean
ARGS ?=

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: ## build what has changed and start Portico with a demo building
	@scripts/run.sh $(ARGS)

test: ## everything that must be green: checks, Rust tests on both databases, browser tests
	@scripts/test.sh

check: ## formatting, lints, dependency rules
	@scripts/setup.sh run test
	@scripts/check.sh

build: ## a self-contained release in dist/
	@scripts/build.sh --dist

bench: ## measure the release build, JSON and a table
	@scripts/bench.sh $(ARGS)

e2e: ## the browser tests alone
	@scripts/e2e.sh $(ARGS)

fuzz: ## longer property tests of what strangers send
	@scripts/fuzz.sh $(ARGS)

fmt: ## format all Rust code
	@cargo fmt --all

clean: ## remove the build output and dist/
	@bash -c '. scripts/env.sh && rm -rf "$$CARGO_TARGET_DIR" dist'
