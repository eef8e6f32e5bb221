"""A service's definition: completed, checked, written for a version of OSCAR, and compared with what OSCAR has.

https://docs.oscar.grycap.net/fdl/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from pulumi import Output

from scar_components.oscar_api import OscarError, numbers
from scar_foundation.oscar_limits import (
    BUCKET_NAME_PATTERN,
    EXPOSE_DEFAULTS,
    FLAG_KEYS,
    INPUT_STORAGE,
    PORT,
    QUANTITY_KEYS,
    QUANTITY_PATTERN,
    RANGES,
    SECRET_PATHS,
    SERVICE_NAME_CHARACTERS,
    SERVICE_NAME_PATTERN,
)
from scar_foundation.oscar_rules import NO_REFRESH_TOKEN, input_refusals, lacks_refresh_token, service_refusals

MINIO = ("minio", "minio.default")
"""Names of the cluster's own MinIO."""


class ServiceStorage(TypedDict):
    """Where the input files of a service come from, or its output files go."""

    provider: str
    """Storage provider and its id, such as `minio.default`."""
    path: str
    """Bucket and folder, such as `photos/in`."""
    prefix: NotRequired[Sequence[str]]
    """File name prefixes; only files with one of them are used. Default: none; all files are used."""
    suffix: NotRequired[Sequence[str]]
    """File name suffixes; only files with one of them are used. Default: none; all files are used."""


HIDDEN = "hidden"
"""What OSCAR returns in place of the credentials of its own MinIO."""

_PORT_LISTS = ("api_port", "nodePort")
_FOLDED = {"log_level": str.upper, "isolation_level": str.upper, "visibility": str.lower}
_REPLICAS = {"members": "replicas", "delegation": "delegation", "rescheduler_threshold": "rescheduler_threshold"}
"""Keys of `federation`, and their names at the top level up to 4.0."""
_FEDERATED = ("federation", *_REPLICAS.values())


def completed(
    name: str, inputs: Sequence[ServiceStorage], outputs: Sequence[ServiceStorage], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole definition of a service. Values that are not known yet stay as they are."""
    definition = {key: whole(value) for key, value in given.items() if value is not None}
    definition |= {key: _as_text(definition[key]) for key in QUANTITY_KEYS if key in definition}
    definition |= {key: fold(definition[key]) for key, fold in _FOLDED.items() if isinstance(definition.get(key), str)}
    if "environment" in definition:
        definition["environment"] = _lower_keys(definition["environment"])
    if isinstance(definition.get("expose"), Mapping):
        definition["expose"] = _exposed(definition["expose"])
    if isinstance(definition.get("script"), str):
        definition["script"] = definition["script"].replace("\r\n", "\n").replace("\r", "\n")
    places = {"input": [storage(name, one) for one in inputs], "output": [storage(name, one) for one in outputs]}
    return {**definition, "name": name, **places}


def storage(service: str, place: ServiceStorage) -> dict[str, Any]:
    """Return an input or output in OSCAR's terms. A MinIO path without a folder is one in the service's own bucket."""
    provider, path = place["provider"], place["path"].strip(" /")
    provider = provider if "." in provider else f"{provider}.default"
    if provider.startswith("minio.") and path and "/" not in path:
        path = f"{service}/{path}"
    filters = {key: list(place[key]) for key in ("prefix", "suffix") if place.get(key)}
    return {"storage_provider": provider, "path": path, **filters}


def is_exposed(definition: Mapping[str, Any]) -> bool:
    """Whether a service has an HTTP interface of its own."""
    expose = definition.get("expose")
    return isinstance(expose, Mapping) and any(_ports_of(expose))


def places(definition: Mapping[str, Any], *directions: str) -> list[tuple[str, str]]:
    """Return provider and path of what a service reads or writes."""
    entries = [entry for direction in directions for entry in definition.get(direction) or ()]
    return [(entry["storage_provider"], str(entry["path"]).strip(" /")) for entry in entries]


def buckets(definition: Mapping[str, Any], *directions: str) -> list[str]:
    """Return the buckets of the cluster's own MinIO that a service reads or writes, each once."""
    found = places(definition, *(directions or ("input", "output")))
    return list(dict.fromkeys(path.partition("/")[0] for kind, path in found if kind in MINIO))


def _exposed(expose: Mapping[str, Any]) -> dict[str, Any]:
    listed = {key: _listed(expose[key]) for key in _PORT_LISTS if key in expose}
    complete = {**expose, **listed}
    return {**EXPOSE_DEFAULTS, **complete} if is_exposed({"expose": complete}) else complete


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int) else value


def _lower_keys(value: Any) -> Any:
    return {key.lower(): inner for key, inner in value.items()} if isinstance(value, Mapping) else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def whole(value: Any) -> Any:
    """Return a value with whole numbers as integers: Pulumi has one kind of number, and OSCAR refuses `8080.0`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(inner) for inner in value]
    return value


def marked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition with its secrets as secret outputs."""
    done: dict[str, Any] = dict(definition)
    for path in SECRET_PATHS:
        done = _marked(done, path)
    return done


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether a path leads to something secret."""
    return path in SECRET_PATHS


def _marked(value: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return Output.secret(value)
    key, rest = path[0], path[1:]
    if key == "*" and isinstance(value, list):
        return [_marked(inner, rest) for inner in value]
    if isinstance(value, Mapping) and value.get(key) is not None:
        return {**value, key: _marked(value[key], rest)}
    return value


def updates_lose_script(version: str) -> bool:
    """Whether an update empties the script of a service with an HTTP interface, as 4.1.2 does and 4.0.0 does not."""
    return numbers(version) >= (4, 1)


def shaped(definition: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the definition as a version takes it. Raises OscarError for what that version lacks."""
    newer = numbers(version) >= (4, 1)
    done = dict(definition)
    if isinstance(done.get("expose"), Mapping):
        done["expose"] = dict(done["expose"]) if newer else _one_port(done["expose"], version)
    return _federated(done) if newer else _replicated(done)


def check_version(definition: Mapping[str, Any], version: str) -> None:
    """Check that a version takes a definition. Raises OscarError for what it lacks or requires."""
    sent = shaped(definition, version)
    if _mapping(sent.get("federation")).get("members") and lacks_refresh_token(definition):
        raise OscarError(f"service {definition['name']}: federation: {'; '.join(NO_REFRESH_TOKEN)}")


def _one_port(expose: Mapping[str, Any], version: str) -> dict[str, Any]:
    done = dict(expose)
    for key in _PORT_LISTS:
        ports = done.get(key)
        if not isinstance(ports, list):
            continue
        if len(ports) > 1:
            raise OscarError(f"expose.{key}: OSCAR {version} takes one port; give one, or use OSCAR 4.1 or later")
        done[key] = ports[0] if ports else 0
    return done


def _federated(definition: dict[str, Any]) -> dict[str, Any]:
    """Turn replicas into the members of a star with this service at its centre."""
    given = {new: definition.pop(old) for new, old in _REPLICAS.items() if definition.get(old) is not None}
    if not given.get("members"):
        return definition
    star = {"group_id": definition["name"], "topology": "star"}
    return {**definition, "federation": {**star, **given, **definition.get("federation", {})}}


def _replicated(definition: dict[str, Any]) -> dict[str, Any]:
    federation = definition.pop("federation", None) or {}
    return {**{old: federation[new] for new, old in _REPLICAS.items() if new in federation}, **definition}


def observed(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the definition with the values that OSCAR has for its keys; `asked` itself if nothing has changed.

    Defaults and hidden values are not drift.
    """
    sent = shaped(asked, version)
    seen = {key: _seen(sent[key], answer.get(key), (key,)) for key in asked if key in sent and key not in _FEDERATED}
    changed = {key: value for key, value in seen.items() if value != sent[key]}
    return {**asked, **changed}


def differences(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> list[str]:
    """Return the keys that have other values in OSCAR."""
    seen = observed(asked, answer, version)
    return [key for key, value in asked.items() if seen[key] != value]


def _seen(asked: Any, answer: Any, path: tuple[str, ...]) -> Any:
    """Return the answer in the form of what was asked; the same value where both mean the same."""
    if is_secret(path) or answer == HIDDEN or _same(asked, answer, path[-1]):
        return asked
    if isinstance(asked, Mapping) and isinstance(answer, Mapping):
        lower = {str(key).lower(): value for key, value in answer.items()}
        return {
            key: _seen(value, answer.get(key, lower.get(key.lower())), (*path, key)) for key, value in asked.items()
        }
    if isinstance(asked, list) and isinstance(answer, list):
        if len(asked) == len(answer):
            return [_seen(one, other, (*path, "*")) for one, other in zip(asked, answer, strict=True)]
        return [_significant(one) for one in answer]
    return answer


def _same(asked: Any, answer: Any, key: str) -> bool:
    if asked == answer or (not asked and not answer):
        return True
    if isinstance(asked, str) and isinstance(answer, str):
        return key == "path" and asked.strip(" /") == answer.strip(" /")
    if isinstance(asked, bool) or isinstance(answer, bool):
        return False
    # One port is a number up to 4.0 and a list from 4.1 on.
    return isinstance(asked, list) and isinstance(answer, int) and asked == [answer]


def _significant(value: Any) -> Any:
    """Return a list element that was not asked for, without what OSCAR left empty."""
    return {key: inner for key, inner in value.items() if inner} if isinstance(value, Mapping) else value


Mistake = tuple[str, str]
"""Where, and what with what to do."""


def mistakes(definition: Mapping[str, Any]) -> list[str]:
    """Return every mistake in a completed definition, as "where: what; what to do"; unknown values pass."""
    found = [*_name(definition), *_quantities(definition), *_scales(definition), *_ports(definition)]
    found += [*_flags(definition), *_places(definition), *_mount(definition), *_refused(definition)]
    return [f"{where}: {what}" for where, what in found]


def _name(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    name = definition["name"]
    if len(name) > SERVICE_NAME_CHARACTERS or not re.fullmatch(SERVICE_NAME_PATTERN, name):
        hint = f"use at most {SERVICE_NAME_CHARACTERS} lower-case letters, digits and '-', and no '-' at an end"
        yield "name", f"{name!r} is not a name that OSCAR accepts; {hint}"
    if definition.get("image") in (None, ""):
        yield "image", "is missing; name the service's container image"


def _quantities(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in QUANTITY_KEYS:
        value = definition.get(key)
        if isinstance(value, str) and not re.fullmatch(QUANTITY_PATTERN, value):
            yield key, f"{value!r} is not an amount that Kubernetes accepts; write it like 0.5, 500m or 512Mi"


def _scales(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for section, ranges in RANGES.items():
        values = definition.get(section)
        if not isinstance(values, Mapping) or (section == "expose" and not any(_ports_of(values))):
            continue
        for key, allowed in ranges.items():
            value = values.get(key)
            if isinstance(value, int) and value not in allowed:
                yield f"{section}.{key}", f"{value} is out of range; use {allowed}"
        low, high = values.get("min_scale"), values.get("max_scale")
        # In `synchronous`, a maximum of 0 is no limit.
        if isinstance(low, int) and isinstance(high, int) and 0 < high < low:
            yield f"{section}.min_scale", f"{low} is more than max_scale, {high}; raise max_scale"


def _ports(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    expose = definition.get("expose")
    for port in _ports_of(expose) if isinstance(expose, Mapping) else ():
        if isinstance(port, int) and port not in PORT:
            yield "expose.api_port", f"{port} is not a port; use 1 to 65535"


def _ports_of(expose: Mapping[str, Any]) -> list[Any]:
    ports = expose.get("api_port") or []
    return ports if isinstance(ports, list) else [ports]


def _flags(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in FLAG_KEYS:
        if isinstance(definition.get(key), (str, int)) and not isinstance(definition[key], bool):
            yield key, f"{definition[key]!r} is not a truth value; use true or false"


def _places(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    for direction in ("input", "output"):
        for index, place in enumerate(definition[direction]):
            where = f"{direction}[{index}]"
            kind, _, identity = place["storage_provider"].partition(".")
            if direction == "input" and kind not in INPUT_STORAGE:
                yield where, f"{kind!r} cannot start a service; use {', '.join(INPUT_STORAGE)}"
            elif not _is_declared(definition, kind, identity):
                hint = f"declare it in storage_providers.{kind}.{identity}, or use minio.default"
                yield where, f"the storage provider {place['storage_provider']!r} is not declared; {hint}"
            bucket = place["path"].partition("/")[0]
            if kind in ("minio", "s3") and not re.fullmatch(BUCKET_NAME_PATTERN, bucket):
                hint = "use 3 to 63 lower-case letters, digits, '.' and '-'"
                yield where, f"the bucket {bucket!r} is not a name that MinIO accepts; {hint}"


def _refused(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield what OSCAR's server refuses only when a service is created or updated."""
    own = [path.partition("/") for kind, path in places(definition, "input") if kind in MINIO]
    for found in (
        *service_refusals(definition),
        *input_refusals(definition, [(bucket, folder) for bucket, _, folder in own]),
    ):
        yield found.key, f"{found.message}; {found.hint}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mount(definition: Mapping[str, Any]) -> Iterator[Mistake]:
    mount = definition.get("mount")
    if isinstance(mount, Mapping) and isinstance(mount.get("storage_provider"), str):
        kind, _, identity = mount["storage_provider"].partition(".")
        if not _is_declared(definition, kind, identity or "default"):
            problem = f"the storage provider {mount['storage_provider']!r} is not declared"
            yield "mount", f"{problem}; declare it in storage_providers"


def _is_declared(definition: Mapping[str, Any], kind: str, identity: str) -> bool:
    if (kind, identity) == ("minio", "default"):
        return True
    providers = definition.get("storage_providers")
    if providers is not None and not isinstance(providers, Mapping):
        return True
    declared = (providers or {}).get(kind, {})
    return not isinstance(declared, Mapping) or identity in declared
