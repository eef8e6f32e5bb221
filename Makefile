.PHONY: setup demo test test-systems test-kubernetes test-kubernetes-genuine test-minio test-aws-genuine test-failing-runs lint bench docs clean

PYTHON ?= python3

setup: ## everything that the rest needs: Python packages, Debian tools, the Pulumi engine
	@PYTHON=$(PYTHON) scripts/setup

demo: setup ## the main job on the local cloud, step by step
	@.venv/bin/python stacks/examples/demo.py

test: setup ## the suite, with whole deployments of functions on files
	@PYTHON=$(PYTHON) scripts/setup tests
	@.venv/bin/pytest -n 2 --dist loadgroup --ignore tests/kubernetes --ignore tests/minio --ignore tests/end_to_end/systems

test-systems: setup ## whole deployments of what stands beside functions: Batch, MapReduce, OSCAR, other storages and languages
	@PYTHON=$(PYTHON) scripts/setup tests
	@.venv/bin/pytest -n 2 --dist loadgroup tests/end_to_end/systems

test-kubernetes: setup ## OscarCluster and the stand-in provider on a real API server, which is built once
	@scripts/setup-kubernetes >/dev/null
	@.venv/bin/pytest -n 2 --dist loadfile tests/kubernetes --ignore tests/kubernetes/genuine

test-kubernetes-genuine: setup ## OscarCluster under Pulumi's own kubernetes plugin, which is built once, beside the stand-in
	@scripts/setup-kubernetes >/dev/null
	@scripts/setup-kubernetes-plugin >/dev/null
	@.venv/bin/pytest tests/kubernetes/genuine

test-minio: setup ## what services on OSCAR need of MinIO, on MinIO itself, which is built once, beside what stands for it
	@scripts/setup-minio >/dev/null
	@.venv/bin/pytest tests/minio

test-aws-genuine: setup ## the aws stand-in's tables beside the genuine provider's schemas, which a program built once tells
	@scripts/setup-aws-yardstick >/dev/null
	@SCAR_TEST_GENUINE=1 .venv/bin/pytest tests/stand_ins/genuine tests/stand_ins/test_aws_genuine.py

test-failing-runs: setup ## 50 deployments that fail, in Python and in YAML, none of which may hang
	@SCAR_FAILING_RUNS=50 .venv/bin/pytest -k "failing" tests/engine/test_no_orphans.py tests/end_to_end/systems/yaml

lint: setup
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy
	@PYTHONPATH=supervisor_image .venv/bin/lint-imports && .venv/bin/deptry .

bench: setup ## what performance claims are measured with
	@.venv/bin/python -m bench

docs: setup ## the references that are generated: FDL's keys, the command line
	@.venv/bin/python -m scar_pulumi.fdl.reference && .venv/bin/python -m scar_pulumi.cli.reference docs/cli-reference.md

clean: ## what setup has made in this folder (the caches stay)
	rm -rf .venv dist
