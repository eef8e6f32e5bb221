"""grycap's released faas-supervisor as its image runtime starts it, in a virtual environment of the cache."""

import base64
import json
import subprocess
import sys
from pathlib import Path

from scar_foundation.directories import cache_directory

VERSION = "1.5.8"
# Its own metadata cannot be read by today's installers, so that its dependencies are named here.
_NEEDED = ("boto3", "pyyaml", "requests", "setuptools<70", "webdavclient3==3.14.6", "awslambdaric==3.0.2")


def command() -> list[str] | None:
    """Return the command that serves a Runtime API; None where its packages cannot be installed."""
    folder = cache_directory() / "bench" / f"faas-supervisor-{VERSION}"
    python = folder / "bin/python"
    try:
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            _install(python, "pip<24.1")  # later ones refuse its metadata
            _install(python, *_NEEDED)
            _install(python, "--no-deps", f"faas-supervisor=={VERSION}")
            (folder / "complete").touch()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"faas-supervisor {VERSION} is left out: {error}")
        return None
    return [str(python), "-m", "faassupervisor.supervisor"]


def environment(output: str) -> dict[str, str]:
    """Return what it reads of its function: outputs go to the storage path given."""
    function = {
        "name": "bench",
        "log_level": "ERROR",
        "container": {"timeout_threshold": 1, "environment": {"Variables": {}}},
        "output": [{"storage_provider": "s3", "path": output}],
        "storage_providers": {},
    }
    return {
        "FDL": base64.b64encode(json.dumps(function).encode()).decode(),
        "AWS_EXECUTION_ENV": "AWS_Lambda_Image",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
    }


def _install(python: Path, *requirements: str) -> None:
    options = ("--quiet", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", "install", *options, *requirements], check=True, stderr=subprocess.DEVNULL)
