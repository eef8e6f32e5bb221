"""A service's definition: completed, checked, in the form of an OSCAR version, and compared with what OSCAR has.

https://docs.oscar.grycap.net/fdl/"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi import Output

from scar_components.lambda_container_function_arguments import FunctionStorage
from scar_components.oscar_api import OscarError

# OSCAR documents these defaults and does not apply them: it answers 500, "HorizontalPodAutoscaler invalid".
EXPOSE_DEFAULTS = {"min_scale": 1, "max_scale": 10, "cpu_threshold": 80, "health_path": "/"}
# A number in one of these is refused by OSCAR, which wants text.
_TEXTS = ("cpu", "memory", "total_cpu", "total_memory", "ephemeral_storage_request")
_LISTS = ("api_port", "nodePort")
_FOLDED = {"log_level": str.upper, "isolation_level": str.upper, "visibility": str.lower}


def completed(
    name: str, inputs: Sequence[FunctionStorage], outputs: Sequence[FunctionStorage], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole definition of a service. Values that are not known yet stay what they are."""
    definition = {key: whole(value) for key, value in given.items() if value is not None}
    definition |= {key: _text(definition[key]) for key in _TEXTS if key in definition}
    definition |= {key: fold(definition[key]) for key, fold in _FOLDED.items() if isinstance(definition.get(key), str)}
    if "environment" in definition:
        definition["environment"] = _lower_keys(definition["environment"])
    if isinstance(definition.get("expose"), Mapping):
        definition["expose"] = _exposed(definition["expose"])
    if isinstance(definition.get("script"), str):
        definition["script"] = definition["script"].replace("\r\n", "\n").replace("\r", "\n")
    places = {"input": [storage(name, one) for one in inputs], "output": [storage(name, one) for one in outputs]}
    return {**definition, "name": name, **places}


def storage(service: str, place: FunctionStorage) -> dict[str, Any]:
    """An input or output in OSCAR's words; a path in MinIO without a folder is one in the service's own bucket."""
    provider, path = place["provider"], place["path"].strip(" /")
    provider = provider if "." in provider else f"{provider}.default"
    if provider.startswith("minio.") and path and "/" not in path:
        path = f"{service}/{path}"
    filters = {key: list(place[key]) for key in ("prefix", "suffix") if place.get(key)}
    return {"storage_provider": provider, "path": path, **filters}


def is_exposed(definition: Mapping[str, Any]) -> bool:
    """Whether a service has an HTTP interface of its own."""
    expose = definition.get("expose")
    return isinstance(expose, Mapping) and any(expose.get("api_port") or ())


def places(definition: Mapping[str, Any], *directions: str) -> list[tuple[str, str]]:
    """Provider and path of what a service reads or writes."""
    entries = [entry for direction in directions for entry in definition.get(direction) or ()]
    return [(entry["storage_provider"], str(entry["path"]).strip(" /")) for entry in entries]


def buckets(definition: Mapping[str, Any], *directions: str) -> list[str]:
    """The buckets of the cluster's own MinIO that a service reads or writes, each once."""
    found = places(definition, *(directions or ("input", "output")))
    return list(dict.fromkeys(path.partition("/")[0] for kind, path in found if kind in ("minio", "minio.default")))


def _exposed(expose: Mapping[str, Any]) -> dict[str, Any]:
    listed = {key: _listed(expose[key]) for key in _LISTS if key in expose}
    complete = {**expose, **listed}
    return {**EXPOSE_DEFAULTS, **complete} if is_exposed({"expose": complete}) else complete


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int) else value


def _lower_keys(value: Any) -> Any:
    return {key.lower(): inner for key, inner in value.items()} if isinstance(value, Mapping) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def whole(value: Any) -> Any:
    """Whole numbers as integers: Pulumi knows but one kind of number, and OSCAR refuses `8080.0`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(inner) for inner in value]
    return value


# Paths in a definition; `*` is every element of a list. OSCAR answers none of them as it was sent.
SECRET_PATHS = (
    ("environment", "secrets"),
    ("storage_providers",),
    ("clusters",),
    ("federation", "members", "*", "headers"),
    ("replicas", "*", "headers"),
)


def marked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with its secrets as secret outputs."""
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


_REPLICAS = {"members": "replicas", "delegation": "delegation", "rescheduler_threshold": "rescheduler_threshold"}
"""Keys of `federation`, and what they are at the top level up to 4.0."""
FEDERATED = ("federation", *_REPLICAS.values())


def numbers(version: str) -> tuple[int, int]:
    """The first two numbers of a version; the newest known for one that does not say, such as a development build."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (4, 1)


def owns_buckets(version: str) -> bool:
    """Whether a service can only be created on buckets that do not exist: so since 4.1."""
    return numbers(version) >= (4, 1)


def shaped(definition: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The definition as a version takes it. Raises OscarError for what that version does not have."""
    newer = numbers(version) >= (4, 1)
    done = dict(definition)
    if isinstance(done.get("expose"), Mapping):
        done["expose"] = dict(done["expose"]) if newer else _one_port(done["expose"], version)
    return _federated(done) if newer else _replicated(done)


def _one_port(expose: Mapping[str, Any], version: str) -> dict[str, Any]:
    done = dict(expose)
    for key in ("api_port", "nodePort"):
        ports = done.get(key)
        if not isinstance(ports, list):
            continue
        if len(ports) > 1:
            raise OscarError(f"expose.{key}: OSCAR {version} takes one port; give one, or use OSCAR 4.1 or later")
        done[key] = ports[0] if ports else 0
    return done


def _federated(definition: dict[str, Any]) -> dict[str, Any]:
    """Replicas as the members of a star, whose centre is this service."""
    given = {new: definition.pop(old) for new, old in _REPLICAS.items() if definition.get(old) is not None}
    if not given.get("members"):
        return definition
    star = {"group_id": definition["name"], "topology": "star"}
    return {**definition, "federation": {**star, **given, **definition.get("federation", {})}}


def _replicated(definition: dict[str, Any]) -> dict[str, Any]:
    federation = definition.pop("federation", None) or {}
    return {**{old: federation[new] for new, old in _REPLICAS.items() if new in federation}, **definition}


HIDDEN = "hidden"
"""What OSCAR answers in place of its own MinIO's credentials."""


def observed(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The definition with the values that OSCAR has for its keys; `asked` itself where nothing has changed."""
    sent = shaped(asked, version)
    seen = {key: _seen(sent[key], answer.get(key), (key,)) for key in asked if key in sent and key not in FEDERATED}
    changed = {key: value for key, value in seen.items() if value != sent[key]}
    return {**asked, **changed}


def differences(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> list[str]:
    """The keys whose values OSCAR has others for."""
    seen = observed(asked, answer, version)
    return [key for key, value in asked.items() if seen[key] != value]


def _seen(asked: Any, answer: Any, path: tuple[str, ...]) -> Any:
    """The answer in the form that was asked; the very same value where both mean the same."""
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
    """An element of a list that was not asked for, without what OSCAR left empty."""
    return {key: inner for key, inner in value.items() if inner} if isinstance(value, Mapping) else value


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
