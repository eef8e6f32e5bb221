"""Run the benchmarks that are named, or all: `python -m bench [NAME…]`; `--help` lists the names."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import deploy, fdl, http, jobs, latency, mapreduce, mapreduce_runs, states, supervisor
from bench.world import World

BENCHMARKS = {
    "latency": latency.run,
    "deploy": deploy.run,
    "supervisor": supervisor.run,
    "fdl": fdl.run,
    "http": http.run,
    "jobs": jobs.run,
    "mapreduce": mapreduce.run,
    "mapreduce-runs": mapreduce_runs.run,
    "states": states.run,
}


def main() -> int:
    """Run benchmarks on a local cloud of their own and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which to run; default: all")
    names = parser.parse_args().names or list(BENCHMARKS)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            try:
                BENCHMARKS[name](world)
            finally:
                world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
