"""What OSCAR's server refuses of a service: the rules that FDL and the component share.

Each was seen on OSCAR 4.1.2 itself, which answers 400 or 500, most of them after it has begun to create the service.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scar_foundation.oscar_limits import LABEL_NAME_PATTERN, LABEL_PATTERN


class Refusal(NamedTuple):
    """A key that OSCAR refuses: what is wrong with it, and what to do."""

    key: str
    message: str
    hint: str


def service_refusals(definition: Mapping[str, Any]) -> Iterator[Refusal]:
    """Find what OSCAR refuses of a definition in its own terms; values that are not known yet are not judged."""
    if definition.get("script") in (None, ""):
        yield Refusal("script", "is missing, and OSCAR requires one", "name a script that runs for each event")
    yield from _labels(_mapping(definition.get("labels")))
    yield from _federation(definition)


def input_refusals(definition: Mapping[str, Any], folders: Iterable[tuple[str, str]]) -> Iterator[Refusal]:
    """Find what OSCAR refuses of the folders in its own MinIO, each as bucket and folder, that start a service."""
    found: dict[str, set[str]] = {}
    for bucket, folder in folders:
        found.setdefault(bucket, set()).add(folder)
    for bucket, inside in found.items():
        if len(inside) > 1:
            message = f"two folders of the bucket '{bucket}' are read, and OSCAR creates it for one"
            yield Refusal("input", message, "use one folder, or a bucket for each")
    if found and str(definition.get("isolation_level")).upper() == "USER" and definition.get("allowed_users"):
        message = "OSCAR fails to update a service of USER with allowed_users and an input"
        yield Refusal("isolation_level", message, "leave out allowed_users, or use isolation_level SERVICE")


def _labels(labels: Mapping[str, Any]) -> Iterator[Refusal]:
    for name, value in labels.items():
        if not re.fullmatch(LABEL_NAME_PATTERN, name):
            hint = "use a name of at most 63 letters, digits, '-', '_' and '.', perhaps after a domain and '/'"
            yield Refusal(f"labels.{name}", "is not a name of a label that Kubernetes accepts", hint)
        if isinstance(value, str) and not re.fullmatch(LABEL_PATTERN, value):
            hint = "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
            yield Refusal(f"labels.{name}", f"{value!r} is not a label that Kubernetes accepts", hint)


def _federation(definition: Mapping[str, Any]) -> Iterator[Refusal]:
    """OSCAR up to 4.0, whose members are `replicas`, does without the secret."""
    members = _mapping(definition.get("federation")).get("members")
    if members and lacks_refresh_token(definition):
        yield Refusal("federation", *NO_REFRESH_TOKEN)


NO_REFRESH_TOKEN = ("OSCAR 4.1 requires the secret refresh_token", "add it to environment.secrets")


def lacks_refresh_token(definition: Mapping[str, Any]) -> bool:
    """Whether a service has no secret with which OSCAR signs in to the clusters that it delegates jobs to."""
    secrets = _mapping(definition.get("environment")).get("secrets") or {}
    return isinstance(secrets, Mapping) and "refresh_token" not in secrets


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
