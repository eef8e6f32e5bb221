"""What OSCAR would refuse, or accept and not do, said before anything is changed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; MinIO has the same rules.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[EPTGMk]i?|Ki|m|e[0-9]+)?")
_QUANTITIES = ("cpu", "memory", "total_cpu", "total_memory", "ephemeral_storage_request")
_STARTING = ("minio", "webdav", "rucio")
# key of a section: least and most that it takes
_RANGES = {
    "synchronous": {"min_scale": (0, 10_000), "max_scale": (0, 10_000)},
    "expose": {"min_scale": (1, 10_000), "max_scale": (1, 10_000), "cpu_threshold": (1, 100)},
}

Mistake = tuple[str, str]


def mistakes(definition: Mapping[str, Any]) -> list[str]:
    """Every mistake in a completed definition, as "where: what; what to do"; values that are not known are trusted."""
    found = [*_name(definition), *_quantities(definition), *_scales(definition), *_ports(definition)]
    found += [*_flags(definition), *_places(definition), *_mount(definition)]
    return [f"{where}: {what}" for where, what in found]


def _name(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    if not _NAME.fullmatch(definition["name"]):
        hint = "use at most 39 lower-case letters, digits and '-', with a letter or digit at both ends"
        yield "name", f"{definition['name']!r} is not a name that OSCAR accepts; {hint}"
    if definition.get("image") in (None, ""):
        yield "image", "is missing; name the container image of the service"


def _quantities(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in _QUANTITIES:
        value = definition.get(key)
        if isinstance(value, str) and not _QUANTITY.fullmatch(value):
            yield key, f"{value!r} is not an amount that Kubernetes accepts; write it like 0.5, 500m or 512Mi"


def _scales(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for section, ranges in _RANGES.items():
        values = definition.get(section)
        if not isinstance(values, Mapping) or (section == "expose" and not any(_ports_of(values))):
            continue
        for key, (least, most) in ranges.items():
            value = values.get(key)
            if isinstance(value, int) and not least <= value <= most:
                yield f"{section}.{key}", f"is {value}; OSCAR takes {least} to {most}"
        low, high = values.get("min_scale"), values.get("max_scale")
        # In `synchronous`, 0 is no limit.
        if isinstance(low, int) and isinstance(high, int) and 0 < high < low:
            yield f"{section}.min_scale", f"is {low}, more than max_scale, {high}; raise max_scale"


def _ports(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    expose = definition.get("expose")
    for port in _ports_of(expose) if isinstance(expose, Mapping) else ():
        if isinstance(port, int) and not 0 <= port <= 65_535:
            yield "expose.api_port", f"{port} is not a port; use 1 to 65535"


def _ports_of(expose: Mapping[str, Any]) -> list[Any]:
    ports = expose.get("api_port") or []
    return ports if isinstance(ports, list) else [ports]


def _flags(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in ("enable_gpu", "enable_sgx", "alpine", "image_prefetch", "file_stage_in"):
        if isinstance(definition.get(key), (str, int)) and not isinstance(definition[key], bool):
            yield key, f"is {definition[key]!r}; it is true or false"


def _places(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for direction in ("input", "output"):
        for index, place in enumerate(definition[direction]):
            where = f"{direction}[{index}]"
            kind, _, identity = place["storage_provider"].partition(".")
            if direction == "input" and kind not in _STARTING:
                yield where, f"{kind!r} cannot start a service; use {', '.join(_STARTING)}"
            elif not _is_declared(definition, kind, identity):
                hint = f"declare it in storage_providers.{kind}.{identity}, or use minio.default"
                yield where, f"the storage provider {place['storage_provider']!r} is not declared; {hint}"
            bucket = place["path"].partition("/")[0]
            if kind in ("minio", "s3") and not _BUCKET.fullmatch(bucket):
                hint = "use 3 to 63 lower-case letters, digits, '.' and '-'"
                yield where, f"the bucket {bucket!r} is not a name that MinIO accepts; {hint}"


def _mount(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    mount = definition.get("mount")
    if isinstance(mount, Mapping) and isinstance(mount.get("storage_provider"), str):
        kind, _, identity = mount["storage_provider"].partition(".")
        if not _is_declared(definition, kind, identity or "default"):
            yield "mount", f"the storage provider {mount['storage_provider']!r} is not declared; declare it"


def _is_declared(definition: Mapping[str, Any], kind: str, identity: str) -> bool:
    if (kind, identity) == ("minio", "default"):
        return True
    providers = definition.get("storage_providers")
    if providers is not None and not isinstance(providers, Mapping):
        return True
    declared = (providers or {}).get(kind, {})
    return not isinstance(declared, Mapping) or identity in declared
