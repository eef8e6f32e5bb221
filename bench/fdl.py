"""Reading and checking FDL: a thousand functions, right and wrong, a thousand services, and the import itself."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.world import World
from scar_pulumi.fdl import FdlError, load

_MANY = 1000
_TIMES = 5
_FUNCTION = """\
  - lambda:
      name: function-{n}
      memory: 1024
      environment: {{Variables: {{KEY1: val1, KEY2: val2}}}}
      container: {{image: "some/image:{n}", environment: {{Variables: {{KEY: value}}}}}}
      input: [{{storage_provider: s3, path: bucket-{bucket}/in-{n}, suffix: [.jpg]}}]
      output: [{{storage_provider: s3, path: bucket-{bucket}/out-{n}}}]
    batch: {{vcpus: 1}}
"""
_SERVICE = """\
  - cluster:
      name: service-{n}
      image: some/image
      script: |
        cat
      input: [{{storage_provider: minio, path: bucket-{n}/in, suffix: [.jpg]}}]
      output: [{{storage_provider: minio, path: bucket-{n}/out}}]
      environment: {{variables: {{KEY1: val1, KEY2: val2}}}}
"""


def run(_world: World) -> None:
    """Print the median of each."""
    print(f"| fdl: median of {_TIMES} | ms |\n|---|---|")
    functions = "functions:\n  aws:\n" + "".join(_FUNCTION.format(n=n, bucket=n % 37) for n in range(_MANY))
    services = "functions:\n  oscar:\n" + "".join(_SERVICE.format(n=n) for n in range(_MANY))
    _row(f"{_MANY} functions", _loading(functions))
    _row(f"{_MANY} functions, each with a misspelt key", _loading(functions.replace("memory", "memroy")))
    _row(f"{_MANY} services", _loading(services))
    _row("import scar_pulumi.fdl", lambda: _python("import scar_pulumi.fdl"))
    _row("python itself", lambda: _python(""))


def _loading(text: str) -> Callable[[], None]:
    def loading() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "many.yaml")
            path.write_text(text)
            with contextlib.suppress(FdlError):
                load(path)

    return loading


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _row(what: str, work: Callable[[], None]) -> None:
    seconds = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    print(f"| {what} | {statistics.median(seconds) * 1000:.0f} |")
