"""The main job on the local cloud: deploy an FDL file, drop a picture, see the result, destroy the stack."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLE = HERE / "thumbnails"
FDL = EXAMPLE / "thumbnails.yaml"
STACK = ["--stack", "local-demo"]
RESULT = "scar-pictures/thumbnails"
DEADLINE = 60
"""Seconds to wait for the result."""

_costs: list[tuple[str, float]] = []


def main() -> int:
    """Run each step and print what it costs."""
    with step("make the image from Debian packages (kept for the next time)"):
        subprocess.run([EXAMPLE / "image.sh"], check=True, env={**os.environ, "PYTHON": sys.executable})
    with step("deploy the stack with Pulumi"):
        scar("up", str(FDL), *STACK, "--yes")
    try:
        picture()
    finally:
        with step("destroy the stack"):
            scar("destroy", str(FDL), *STACK, "--yes")
    print("\nwhat it cost:")
    for name, seconds in _costs:
        print(f"  {seconds:6.1f} s  {name}")
    print(f"  {sum(seconds for _, seconds in _costs):6.1f} s  in all")
    return 0


def picture() -> None:
    """Drop the picture, wait for what the container makes of it and show it."""
    scar("rm", RESULT, "--recursive", "--yes", check=False, capture=True)
    with step("drop a picture into the function's bucket"):
        scar("put", "scar-pictures/in", str(EXAMPLE / "sample.png"), *STACK)
    with step("the function runs: its container writes the result"):
        key = wait_for_result()
    with step("fetch the result"), tempfile.TemporaryDirectory() as folder:
        scar("get", RESULT, folder, *STACK)
        for path in sorted(Path(folder).rglob("*.jpg")):
            print(f"  {key}: {path.stat().st_size} bytes, from {(EXAMPLE / 'sample.png').stat().st_size}")
    with step("what the function logged"):
        scar("logs", "thumbnails", *STACK)


def wait_for_result() -> str:
    """Return the key of the first object under the result's prefix, as soon as there is one."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        listing = json.loads(scar("ls", RESULT, *STACK, "--json", capture=True, check=False) or "{}")
        if objects := listing.get("objects"):
            return str(objects[0]["key"])
        time.sleep(0.1)
    scar("logs", "thumbnails", *STACK, check=False)
    sys.exit(f"demo: no result within {DEADLINE} s; what the function logged is above")


def scar(*arguments: str, capture: bool = False, check: bool = True) -> str:
    """Run `scar-pulumi` as a user would; shows the command unless its output is captured."""
    if not capture:
        print(f"\n$ scar-pulumi {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "scar_pulumi", *arguments]
    stderr = subprocess.DEVNULL if capture else None
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, stderr=stderr, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"demo: scar-pulumi {arguments[0]} failed with status {done.returncode}; its message is above")
    return done.stdout or ""


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Say what happens and remember how long it took."""
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    yield
    _costs.append((name, time.monotonic() - started))


if __name__ == "__main__":
    sys.exit(main())
