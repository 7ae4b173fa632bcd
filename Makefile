# make lab    opens the course in JupyterLab       PORT=8890 and ARGS="--ip=0.0.0.0" pass through
# make test   runs every test                      ARGS="-k ledger" passes through to pytest
# make build  builds notebooks/ from course/       ARGS="4.2" or ARGS="--check"
# make grade-demo  grades a small class of all kinds, and says where the report is
# make bench  measures speed against other tools and writes the ratios into course/bench.results.json
# make bench-gpu  measures the training loop on a GPU and writes course/bench.gpu.results.json; ARGS=--rehearse without one
.PHONY: lab test preflight build grade-demo bench bench-gpu
BIN := .venv/bin
JOBS ?= 2
# As the page to begin with, so that the URL printed on a machine without a browser leads there, too.
START = notebooks/0_start_here.ipynb

lab: .venv/.ready
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/$(START) $(PORT:%=--port=%) $(AS_ROOT) $(NO_BROWSER) $(ARGS)

# What is missing for some tests is said first, before 20 minutes have passed, and last, where it is seen.
test: preflight .venv/.ready-test
	$(BIN)/ruff check .
	@.ci/test $(JOBS) $(ARGS)

preflight:
	@.ci/preflight

build: .venv/.ready-test
	$(BIN)/sslcourse build $(ARGS)

grade-demo: .venv/.ready-test
	rm -rf build/grade-demo
	$(BIN)/python -m sslcourse.grading.demo build/grade-demo/submissions
	$(BIN)/sslcourse grade build/grade-demo/submissions --lesson 4.2 --out build/grade-demo/grades --timeout 5 $(ARGS)

bench: .venv/.ready-bench
	$(BIN)/python -m tests.bench.bench $(ARGS)

bench-gpu: .venv/.ready
	$(BIN)/python -m tests.bench.gpu $(ARGS)

# JupyterLab refuses to run as root, and waits for a browser that a machine without a screen does not have.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)
NO_BROWSER = $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(BROWSER)$(filter Darwin,$(shell uname)),,--no-browser)

.venv/.ready: EXTRAS =
.venv/.ready-test: EXTRAS = [author,test]
.venv/.ready-bench: EXTRAS = [author,bench]
.venv/.ready .venv/.ready-test .venv/.ready-bench: pyproject.toml constraints.txt
	@.ci/setup $@ $(EXTRAS)
