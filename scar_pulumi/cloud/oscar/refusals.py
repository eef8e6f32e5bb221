"""What OSCAR's server, and Kubernetes behind it, refuse of a service: which status, and in which words.

Seen on the genuine servers 4.1.2 and 4.0.0; the words are theirs as far as clients may look for them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from scar_foundation.limits import MIB
from scar_foundation.oscar_limits import LABEL_PATTERN, SERVICE_NAME_PATTERN
from scar_pulumi.cloud.oscar.specification import Definition, is_exposed, own_buckets

_DECIMAL = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<unit>[EPTGMK]i|[EPTGMkm]|[eE][+-]?[0-9]+)?")
_QUANTITY_WORDS = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_NAME_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character"
)
_LABEL_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character"
)
_RESERVED_PATHS = ("/oscar/config", "/oscar/bin")


class Answer(NamedTuple):
    """What the server answers: a status, and a text, a JSON document or nothing."""

    status: int
    content: Any = None


def amount(text: str) -> float:
    """Return the number that a quantity such as `512Mi` or `500m` stands for. Raises ValueError.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(_QUANTITY_WORDS)
    number, unit = float(found["number"]), found["unit"] or ""
    return number * (10.0 ** int(unit[1:]) if unit[:1] in ("e", "E") and unit != "E" else (_DECIMAL | _BINARY)[unit])


def megabytes(text: str) -> int:
    """Return an amount of memory in megabytes, rounded up. Raises ValueError."""
    return max(1, -int(-amount(text) // MIB))


def creation_refusal(service: Definition) -> Answer | None:
    """Return why a new service is refused before anything of it exists; None if it is not."""
    return next((found for check in _CREATION for found in check(service)), None)


def update_refusal(old: Definition, new: Definition, *, is_exposed_there: bool) -> Answer | None:
    """Return why a service cannot become another; `is_exposed_there`: the objects of its HTTP interface exist."""
    if is_exposed(new) and not is_exposed_there:
        return Answer(500, f'Error updating the service: deployments.apps "{new["name"]}-dpl" not found')
    if new["isolation_level"] == "USER" and new["allowed_users"] and own_buckets(new, "input"):
        return Answer(500)  # the server panics: the cluster's user has no name to make labels of
    if new.get("volume") != old.get("volume"):
        return Answer(400, "The volume configuration of a service cannot be changed")
    return next((found for check in (_federation, *_KUBERNETES) for found in check(new)), None)


def _volume(service: Definition) -> Iterator[Answer]:
    volume = service.get("volume")
    if volume is not None and (reason := _volume_mistake(volume)):
        yield Answer(400, f"The service specification is not valid: {reason}")


def _volume_mistake(volume: Mapping[str, str]) -> str:
    path, size = volume["mount_path"], volume["size"]
    if not path:
        return "volume.mount_path is required"
    if not size and not volume["name"]:
        return "volume.name is required when volume.size is not set"
    if size and not _is_positive(size):
        return "volume.size must be a valid positive quantity"
    if not path.startswith("/"):
        return "volume.mount_path must be an absolute path"
    if any(path == reserved or path.startswith(f"{reserved}/") for reserved in _RESERVED_PATHS):
        return "volume.mount_path cannot overlap OSCAR reserved paths"
    return ""


def _is_positive(size: str) -> bool:
    try:
        return amount(size) > 0
    except ValueError:
        return False


def _federation(service: Definition) -> Iterator[Answer]:
    members = service.get("federation", {}).get("members")
    if members and "refresh_token" not in service["environment"]["secrets"]:
        yield Answer(400, "refresh_token secret is required for federated services")


def _name(service: Definition) -> Iterator[Answer]:
    name = service["name"]
    if not re.fullmatch(SERVICE_NAME_PATTERN, name):
        reason = f'ConfigMap "{name}" is invalid: metadata.name: Invalid value: "{name}": {_NAME_WORDS}'
        yield Answer(500, f"Error creating the service: {reason}")


def _quantities(service: Definition) -> Iterator[Answer]:
    for key in ("cpu", "memory"):
        try:
            amount(service[key])
        except ValueError as error:
            yield Answer(500, f"Error creating the service: {error}")


def _labels(service: Definition) -> Iterator[Answer]:
    for value in service["labels"].values():
        if not re.fullmatch(LABEL_PATTERN, value):
            reason = f'PodTemplate "{service["name"]}" is invalid: metadata.labels: Invalid value: "{value}"'
            yield Answer(500, f"Error creating the service: {reason}: {_LABEL_WORDS}")


def _scale(service: Definition) -> Iterator[Answer]:
    """Documented defaults are not applied, and Kubernetes refuses what is left."""
    least, most = service["expose"]["min_scale"], service["expose"]["max_scale"]
    if is_exposed(service) and not 0 < least <= most:
        name = f"{service['name']}-hpa"
        field = f"spec.maxReplicas: Invalid value: {most}: must be greater than 0"
        if most > 0:
            field = f"spec.minReplicas: Invalid value: {least}: must be between 1 and maxReplicas"
        yield Answer(
            500, f'Error creating the service: HorizontalPodAutoscaler.autoscaling "{name}" is invalid: {field}'
        )


_Check = Callable[[Definition], Iterator[Answer]]
_KUBERNETES: tuple[_Check, ...] = (_quantities, _labels)
_CREATION: tuple[_Check, ...] = (_volume, _federation, _name, *_KUBERNETES, _scale)
