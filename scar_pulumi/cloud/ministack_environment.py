"""MiniStack in a folder of its own: it pins botocore exactly, and no user's boto3 may depend on that.

The first start of the local cloud installs it, once for each version and interpreter; later starts need no network.
`python -m scar_pulumi.cloud.ministack_environment` installs it ahead of time.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scar_foundation.directories import lock_file, ministack_directory
from scar_foundation.errors import LocalCloudError
from scar_foundation.locks import exclusive

_REQUIREMENTS = Path(__file__).with_name("ministack") / "requirements.txt"
_TAIL = 5


def ministack_version() -> str:
    """Return the version of MiniStack that the local cloud is made for."""
    pin = re.search(r"^ministack==(\S+)$", _REQUIREMENTS.read_text(), re.MULTILINE)
    assert pin is not None, _REQUIREMENTS
    return pin[1]


def ministack_folder() -> Path:
    """Return the folder that MiniStack is installed in, whether or not it is there yet."""
    pins = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:8]
    interpreter = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    return ministack_directory() / f"{ministack_version()}-{pins}-{interpreter}"


def with_ministack(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Python finds MiniStack and its botocore before any other."""
    path = [str(ministack_folder()), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(path)}


def install_ministack(progress: Callable[[str], None]) -> Path:
    """Return MiniStack's folder; install MiniStack first where the folder is missing. Raises LocalCloudError.

    Of several processes, one installs and the others wait. The folder is there complete or not at all.
    """
    folder = ministack_folder()
    if folder.is_dir():
        return folder
    with exclusive(lock_file(folder)):
        if not folder.is_dir():
            progress(f"installing the local cloud's MiniStack {ministack_version()} (once)")
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a kill has left
    with _installer() as command:
        _run([*command, "--no-deps", "--requirement", str(_REQUIREMENTS), "--target", str(partial)])
    partial.rename(folder)


@contextlib.contextmanager
def _installer() -> Iterator[list[str]]:
    """Give the beginning of a command that installs packages for this interpreter, with pip or uv."""
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input"]
    if importlib.util.find_spec("pip"):
        yield [sys.executable, *pip]
    elif uv := _find_uv():
        yield [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", sys.executable]
    elif importlib.util.find_spec("ensurepip"):
        with tempfile.TemporaryDirectory(prefix="scar-pip-") as place:
            _run([sys.executable, "-m", "venv", place])
            yield [str(Path(place) / "bin" / "python"), *pip]
    else:
        raise LocalCloudError(
            f"local cloud: MiniStack {ministack_version()} cannot be installed: there is neither pip nor uv for "
            f"{sys.executable}; install one of them (on Debian: apt-get install python3-pip) and start again"
        )


def _find_uv() -> list[str]:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else []


def _run(command: list[str]) -> None:
    # A user's configuration may say --user, which excludes --target.
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()[-_TAIL:])
        raise LocalCloudError(
            f"local cloud: MiniStack {ministack_version()} cannot be installed; the first start needs a Python package "
            f"index, check the network or set PIP_INDEX_URL to another index:\n{said}"
        )


def main() -> int:
    """Install MiniStack, and return the exit code."""
    try:
        install_ministack(_tell)
    except LocalCloudError as error:
        _tell(f"error: {error}")
        return error.exit_code
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - run as a program, it says what it does


if __name__ == "__main__":
    sys.exit(main())
