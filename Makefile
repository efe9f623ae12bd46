# `make demo` shows the collection at work, `make test` runs what a pull request has to pass; both set up what they
# need. A fresh machine needs git, make, Python 3.11 or newer with venv and, for the tests, Node.js with npm. What
# they need besides, `make packages` installs or names.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that really runs: a version manager may put one on PATH that only prints an error.
CANDIDATES := python3.12 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.12.*/bin/python3.12) \
              python3.13 python3.14 python3.11 python3
RUNS       := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON     ?= $(shell for p in $(CANDIDATES); do "$$p" -c '$(RUNS)' 2>/dev/null && echo "$$p" && break; done)

VENV   := $(CURDIR)/.venv
LINK   := .collections/ansible_collections/meshfleet/particle
REAL   := .cache/real_server
CLIENT := .cache/official_client
BROWSER := .cache/browser
FILE_BY_FILE := --dist loadfile --no-loadscope-reorder
SITE   := $(CURDIR)/.cache/docs
DOCS   := dist/docs
IMPORTER := .cache/importer
PACKAGE := .cache/simulator_package
AREAS := auth devices events facts fleet mesh product rollout simulator thread world
PROOFS_NEED := setup packages $(REAL)/.installed $(CLIENT)/.installed $(BROWSER)/.installed $(PACKAGE)/.installed

export PATH := $(VENV)/bin:$(PATH)
# In a checkout below a folder ansible_collections, ansible-doc finds the roles only by that folder.
INSIDE := $(filter %/ansible_collections/meshfleet/particle,$(CURDIR))
export ANSIBLE_COLLECTIONS_PATH := $(if $(INSIDE),$(abspath $(CURDIR)/../../..),$(CURDIR)/.collections)
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export ANSIBLE_LOCALHOST_WARNING := False
export ANSIBLE_INVENTORY_UNPARSED_WARNING := False
export ANSIBLE_NOCOWS := 1
# Without byte code, each of the many processes of a test run compiles every file that it imports.
unexport PYTHONDONTWRITEBYTECODE

##@ For everyone
.PHONY: help
help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: setup ## a tour of the collection with a simulated fleet, in less than two minutes
	python tests/demo.py

.PHONY: test
test: setup ## what a pull request has to pass, with short counts (in at most 15 minutes on 2 cores)
	@# Before all others: reuse asks git once what to ignore, and would call caches that appear afterwards sources.
	@$(MAKE) --no-print-directory licences
	@# The installations wait for the network while the linters use the processor.
	@$(MAKE) --no-print-directory --jobs=2 style documentation types $(PROOFS_NEED)
	@$(MAKE) --no-print-directory unit integration

.PHONY: proofs
proofs: export MESHFLEET_FULL := 1
proofs: $(PROOFS_NEED) ## make proofs AREA=fleet: the tests of one area with full counts, in at most 30 minutes; without AREA, lists the areas
	@files=$$(python tests/tools/area.py $(AREA)) && \
	  echo python -m pytest -n 3 $(FILE_BY_FILE) [the files of $(AREA)] && \
	  python -m pytest -n 3 $(FILE_BY_FILE) $$files

.PHONY: test-all
test-all: lint types ## the proofs of all areas, and docs, matrix, importer and coverage; as root, for its network namespaces
	@set -e; for area in $(AREAS); do $(MAKE) --no-print-directory proofs AREA=$$area; done
	$(MAKE) --no-print-directory docs matrix importer coverage

##@ One at a time
.PHONY: setup
setup: .venv/.installed $(LINK) ## the environment in .venv and the link tree in .collections

.PHONY: packages
packages: ## what the tests need of the system: redis-server, gpg, ip of iproute2, java, g++ and doctest (by apt-get where they are missing)
	@redis=; ip=; gpg=; command -v redis-server >/dev/null || redis=redis-server; \
	command -v ip >/dev/null || ip=iproute2; command -v gpg >/dev/null || gpg=gnupg; \
	test -z "$$redis$$ip$$gpg" || { \
	  echo "Missing: $$redis $$ip $$gpg"; \
	  command -v apt-get >/dev/null && test "$$(id -u)" = 0 && \
	    apt-get update --quiet=2 && apt-get install --yes --no-install-recommends $$redis $$ip $$gpg >/dev/null; \
	} || { echo "Install what is missing with the package manager of this system, as root, and run make again."; exit 1; }
	@# Only the rule engine of Event-Driven Ansible is written in Java. Without it, its tests are skipped.
	@command -v java >/dev/null || { \
	  echo "Missing: default-jre-headless"; \
	  command -v apt-get >/dev/null && test "$$(id -u)" = 0 && \
	    apt-get update --quiet=2 && apt-get install --yes --no-install-recommends default-jre-headless >/dev/null; \
	} || echo "Java 17 or newer could not be installed, so the tests of rulebooks are skipped."
	@# Only the firmware library is written in C++. Without a compiler, its tests are skipped.
	@echo '#include <doctest/doctest.h>' | g++ -fsyntax-only -x c++ - 2>/dev/null || { \
	  echo "Missing: g++ or doctest-dev"; \
	  command -v apt-get >/dev/null && test "$$(id -u)" = 0 && \
	    apt-get update --quiet=2 && apt-get install --yes --no-install-recommends g++ doctest-dev >/dev/null; \
	} || echo "g++ and doctest could not be installed, so the tests of the firmware library are skipped."

.PHONY: lint licences style documentation
lint: licences style documentation ## licences, style and documentation

licences: setup
	reuse lint --lines

style: setup
	ruff check .
	ruff format --check .
	yamllint --strict .
	antsibull-changelog lint
	ansible-lint

documentation: setup
	python tests/tools/language.py .ci extensions plugins roles playbooks simulator tests/bench tests/support
	python tests/tools/language.py --names tests/integration tests/unit
	python tests/tools/return_blocks.py --check plugins/modules
	python tests/tools/schemas.py --check docs
	python tests/tools/probe_table.py --check plugins/module_utils/_probe/documented.py
	@# antsibull-docs keeps a log in the home folder, wherever that is.
	@mkdir -p .cache
	HOME=$(CURDIR)/.cache antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .

.PHONY: returns
returns: setup ## copy the return values that all modules share from tests/tools/return_blocks.yml into the modules
	python tests/tools/return_blocks.py plugins/modules

.PHONY: schemas
schemas: setup ## write the JSON Schemas of manifests and definitions from the code and the documentation of the modules
	python tests/tools/schemas.py docs

.PHONY: probe
probe: setup ## write the table of documented GET requests from docs/facts
	python tests/tools/probe_table.py plugins/module_utils/_probe/documented.py

.PHONY: messages
messages: setup ## every error message of the plugins with its place, code and hint, for reading
	python tests/tools/messages.py plugins

.PHONY: types
types: setup ## static types
	mypy -p ansible_collections.meshfleet.particle.plugins
	mypy simulator tests/support tests/tools tests/conftest.py .ci/release.py
	mypy extensions/eda/plugins/event_source extensions/eda/plugins/event_filter

.PHONY: unit
unit: setup packages ## tests of the parts
	python -m pytest -n 3 $(FILE_BY_FILE) tests/unit

.PHONY: integration
integration: $(PROOFS_NEED) ## tests of the whole, with a compatible cloud, the official client and a browser
	python -m pytest -n 4 $(FILE_BY_FILE) tests/integration

.PHONY: firmware
firmware: packages ## the firmware library: tests, a million inputs for its decoder, and its size; installs the cross compiler as root
	@command -v arm-none-eabi-g++ >/dev/null || { \
	  command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get install --yes --no-install-recommends \
	    gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib >/dev/null; } || true
	$(MAKE) --no-print-directory -C firmware/mesh-contract BUILD=$(CURDIR)/.cache/firmware all

.PHONY: pictures
pictures: SHOTS := $(CURDIR)/.cache/pictures
pictures: setup packages $(BROWSER)/.installed ## renew the pictures of the guides: a network from a run of the demo, and screenshots of reports
	python tests/demo.py docs/images/mesh.svg
	rm -rf $(SHOTS)
	mkdir -p $(SHOTS)
	MESHFLEET_SCREENSHOT=$(SHOTS)/tutorial.png python -m pytest -q tests/integration/test_tutorial.py
	MESHFLEET_SCREENSHOT=$(SHOTS)/report.png python -m pytest -q tests/integration/test_report.py -k guide
	MESHFLEET_FULL=1 MESHFLEET_SCREENSHOT=$(SHOTS)/page.png python -m pytest -q tests/integration/test_report_rollouts.py -k Braked
	cp $(SHOTS)/tutorial.png $(SHOTS)/report.png docs/images
	cp $(SHOTS)/braked-rollout.png docs/images/rollout.png

.PHONY: docs
docs: setup ## the documentation as a site in dist/docs; a warning is an error
	rm -rf $(SITE) $(DOCS)
	mkdir -p $(SITE)/source/reference $(DOCS)
	chmod go-w $(SITE)/source/reference
	git ls-files -co --exclude-standard -- '*.md' ':!.github' ':!firmware' ':!simulator' ':!tests' docs/facts docs/images LICENSE | tar -cf - -T - | tar -xf - -C $(SITE)/source
	mv $(SITE)/source/docs/site/index.md $(SITE)/source
	HOME=$(SITE) antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
		--dest-dir $(SITE)/source/reference meshfleet.particle
	python tests/tools/reference.py $(SITE)/source/reference
	sphinx-build --quiet --fail-on-warning --keep-going --conf-dir docs/site --doctree-dir $(SITE)/doctrees \
		$(SITE)/source $(DOCS)

.PHONY: sanity
sanity: setup ## ansible-test sanity with ansible-core 2.21 on Python 3.12
	python tests/tools/ansible_test.py sanity --core 2.21 --python 3.12

.PHONY: matrix
matrix: setup packages ## ansible-test sanity, units and integration with each supported ansible-core, on Python 3.11 to 3.14, with short counts; says which is not here
	python tests/tools/ansible_test.py sanity
	python tests/tools/ansible_test.py units
	python tests/tools/ansible_test.py integration

.PHONY: molecule
molecule: setup ## the roles in molecule, each against a simulator that its scenario starts
	molecule test --all

.PHONY: importer
importer: setup $(IMPORTER)/.installed ## what Galaxy says to the collection; a warning is a failure
	python tests/tools/importer.py

.PHONY: coverage
coverage: export MESHFLEET_FULL :=
coverage: MEASURED := $(addprefix tests/integration/test_,examples.py inventory_run.py tokens.py) tests/unit
coverage: setup packages ## the unit tests and a part of the integration tests once more, measured; fails below 92 % of branches
	rm -rf .cache/coverage
	mkdir -p .cache/coverage
	coverage run -m pytest -n 2 $(FILE_BY_FILE) $(MEASURED)
	coverage combine --quiet
	coverage report
	coverage json --quiet -o .cache/coverage/report.json
	python tests/tools/branches.py .cache/coverage/report.json plugins

.PHONY: mutation
mutation: setup ## thousands of small changes to the code, of which tests must notice 85 %; SAMPLE=50 tests 50 of each group
	python tests/tools/mutation.py $(if $(SAMPLE),--sample $(SAMPLE))

.PHONY: bench
bench: setup $(CLIENT)/.installed ## measurements; they print figures, and fail when a ratio is not what is promised
	@set -e; for bench in tests/bench/bench_*.py; do echo "== $$bench"; python "$$bench"; done

.PHONY: format
format: setup ## rewrite the Python files in the common style
	ruff check --fix .
	ruff format .

.PHONY: build
build: setup ## the collection as a tarball in dist/
	ansible-galaxy collection build --force --output-path dist

.PHONY: release
release: setup ## a release, ready to publish: make release VERSION=x.y.z [KEY=fingerprint]
	@python .ci/release.py "$(VERSION)" --key "$(KEY)"

.PHONY: clean
clean: ## remove all that make has made
	rm -rf .venv .cache .collections .ansible dist

# --- what the targets above stand on -------------------------------------------------------------------

.venv/bin/uv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found; name one: make PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.installed: .venv/bin/uv requirements.txt requirements-dev.txt simulator/pyproject.toml
	UV_SYSTEM_CERTS=1 uv pip install --quiet --python .venv/bin/python -r requirements-dev.txt
	@touch $@

# Tools want to see the collection below ansible_collections/<namespace>/<name>; a relative link serves them.
$(LINK):
	mkdir -p $(@D)
	ln -sfn ../../.. $@

# galaxy-importer and our other tools want different versions of the same libraries.
$(IMPORTER)/.installed: .venv/bin/uv
	python -m venv --clear $(@D)
	UV_SYSTEM_CERTS=1 uv pip install --quiet --python $(@D)/bin/python "galaxy-importer>=0.4.30"
	@touch $@

# The simulator as those have it who install it by pip, apart from all that the tests need.
$(PACKAGE)/.installed: .venv/bin/uv simulator/pyproject.toml $(shell find simulator -name '*.py')
	python -m venv --clear --without-pip $(@D)
	UV_SYSTEM_CERTS=1 uv pip install --quiet --python $(@D)/bin/python ./simulator
	@touch $@

# What comes from npm: the compatible cloud, the official client, and a browser.
.cache/%/.installed: tests/%/package.json
	mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error
	@# The browser comes packed, and the tests that use it run at the same time.
	@rm -rf $(@D)/unpacked
	@if test -f tests/$*/chromium.mjs; then BROWSER=$(CURDIR)/$(@D) node tests/$*/chromium.mjs; fi
	@touch $@
