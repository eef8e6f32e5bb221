"""What OSCAR gives to the container of a service: its files and variables, as pure functions.

https://docs.oscar.grycap.net/invoking-async/ and the supervisor's own configuration.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = "/oscar/config"
PROVIDERS = "/run/secrets/providers"
"""What /var/run/secrets/providers leads to."""
ANSWER = "/oscar/answer"
_LONGEST_VARIABLE = 96 * 1024
"""Bytes; one string of an environment cannot be longer than 128 KiB: MAX_ARG_STRLEN, execve(2)."""
_NOT_CONFIGURATION = ("script", "environment", "token", "image_file")


def configuration_files(definition: Mapping[str, Any], event: bytes) -> dict[str, bytes]:
    """The files below /oscar/config, the event of this one job among them."""
    kept = {key: value for key, value in definition.items() if key not in _NOT_CONFIGURATION}
    # JSON is YAML, and needs no reader of its own.
    files = {"function_config.yaml": json.dumps(kept, indent=1).encode(), "event": event}
    script = definition.get("script")
    return {**files, "script.sh": str(script).encode()} if script else files


def provider_files(definition: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the secret `minio.default`."""
    settings = definition["storage_providers"]["minio"]["default"]
    keys = {"accessKey": settings["access_key"], "secretKey": settings["secret_key"], "oidc_uid": "minio"}
    return {f"minio.default/{name}": str(value).encode() for name, value in keys.items()}


def variables(definition: Mapping[str, Any], job: str, event: bytes, endpoint: str) -> dict[str, str]:
    """The container's variables; `endpoint` is where the local cloud answers as AWS."""
    text = event.decode("utf-8", "replace")
    small = len(event) <= _LONGEST_VARIABLE and "\0" not in text
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **definition["environment"]["variables"],
        **definition["environment"]["secrets"],
        **({"EVENT": text} if small else {}),
        "JOB_UUID": job,
        "RESOURCE_ID": f"oscar-{definition['name']}",
        "SCAR_EVENT_FILE": f"{CONFIG}/event",
        "SCAR_ANSWER_FILE": f"{ANSWER}/answer",
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files that the container's user, whoever that is, can read; the folder's parents are closed to others."""
    folder.mkdir(mode=0o755)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
