"""The FDL file that SCAR's `init` means by its flags: pure data, written as YAML.

https://scar.readthedocs.io/en/latest/basic_usage.html
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scar_foundation.errors import InputError

_PLACES: Mapping[str, tuple[str, ...]] = {
    "description": ("lambda", "description"),
    "memory": ("lambda", "memory"),
    "timeout": ("lambda", "timeout"),
    "execution_mode": ("lambda", "execution_mode"),
    "log_level": ("lambda", "log_level"),
    "init_script": ("lambda", "init_script"),
    "lambda_environment": ("lambda", "environment", "Variables"),
    "image": ("lambda", "container", "image"),
    "image_file": ("lambda", "container", "image_file"),
    "timeout_threshold": ("lambda", "container", "timeout_threshold"),
    "environment": ("lambda", "container", "environment", "Variables"),
    "input_bucket": ("lambda", "input"),
    "output_bucket": ("lambda", "output"),
    "iam_role": ("iam", "role"),
    "api_gateway_name": ("api_gateway", "name"),
    "batch_memory": ("batch", "memory"),
    "batch_vcpus": ("batch", "vcpus"),
    "enable_gpu": ("batch", "enable_gpu"),
    # What follows has no effect here; the check of the file says why.
    "layers": ("lambda", "layers"),
    "runtime": ("lambda", "runtime"),
    "supervisor_version": ("lambda", "supervisor", "version"),
    "extra_payload": ("lambda", "extra_payload"),
    "preheat": ("lambda", "preheat"),
    "deployment_bucket": ("lambda", "deployment", "bucket"),
}
"""Where each flag of `init` stands in an entry of `functions.aws`."""
_VARIABLES = ("environment", "lambda_environment")
_BUCKETS = ("input_bucket", "output_bucket")


def file_of_flags(name: str | None, flags: Mapping[str, Any]) -> tuple[str, str]:
    """Return the function's name and the FDL file's text for SCAR's flags, by the names of its long ones.

    Raises:
        InputError: A variable is not NAME=VALUE.
    """
    name = name or _name_for(flags)
    entry: dict[str, Any] = {"lambda": {"name": name}}
    for flag, place in _PLACES.items():
        value = flags.get(flag)
        if value not in (None, False, ()):
            _put(entry, place, _value(flag, value))
    return name, yaml.safe_dump({"functions": {"aws": [entry]}}, sort_keys=False, allow_unicode=True)


def _put(entry: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    for part in place[:-1]:
        entry = entry.setdefault(part, {})
    entry[place[-1]] = value


def _value(flag: str, value: Any) -> Any:
    if flag in _VARIABLES:
        return dict(_variable(flag, text) for text in value)
    if flag in _BUCKETS:
        return [{"storage_provider": "s3", "path": value}]
    return list(value) if isinstance(value, tuple) else value


def _variable(flag: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"--{flag.replace('_', '-')} {text}: is not NAME=VALUE")
    return name, value


def _name_for(flags: Mapping[str, Any]) -> str:
    """Return a name for a function without one: that of its image, as SCAR's examples have it."""
    given = str(flags.get("image") or flags.get("image_file") or "function")
    base = re.split(r"[@:]", Path(given).name)[0].partition(".")[0]
    return "scar-" + (re.sub(r"[^A-Za-z0-9_-]+", "-", base).strip("-") or "function")


def write_file(name: str, text: str, folder: Path) -> Path:
    """Write the file of a function beside where the user is, unless it is there already.

    Raises:
        InputError: A file of that name says something else.
    """
    path = folder / f"{name}.yaml"
    if path.exists():
        if path.read_text() != text:
            raise InputError(
                f"{path.name}: exists and says something else; edit it and run `scar-pulumi up {path.name}`, or choose "
                "another name with -n"
            )
        return path
    path.write_text(text)
    return path
