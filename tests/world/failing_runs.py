"""How often a deployment that fails is repeated, in search of one that hangs."""

import os


def failing_runs(usual: int) -> range:
    """Return the runs that a test does; `make test-failing-runs` does 50 of each kind."""
    return range(int(os.environ.get("SCAR_FAILING_RUNS", usual)))
