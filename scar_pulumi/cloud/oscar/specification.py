"""A service's JSON as OSCAR's server reads it and shows it again: Go's types, its zeros, and the server's few defaults.

https://github.com/grycap/oscar/blob/master/pkg/types/service.go, as of 4.1
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scar_foundation.oscar_limits import DEFAULT_CPU, DEFAULT_MEMORY, SERVICE_NAME_CHARACTERS

Definition = dict[str, Any]
OWNER = "cluster_admin"
"""Owner of what the cluster's user, and nobody of an OpenID provider, has created."""
NAMESPACE = "oscar-svc"
OWN_STORAGE = ("minio", "default")
HIDDEN = "hidden"
"""What stands for the keys of the cluster's own storage."""
_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class InvalidError(Exception):
    """The server answers 400 to a definition: it is not what its Go structure takes."""


@dataclass(frozen=True)
class Plain:
    """A value of one of Go's own types; `zero` stands for one that is missing or null."""

    go: str
    python: type
    zero: Any


@dataclass(frozen=True)
class ListOf:
    """A slice."""

    element: "Shape"


@dataclass(frozen=True)
class MapOf:
    """A map from texts."""

    element: "Shape"


@dataclass(frozen=True)
class Struct:
    """A structure: keys are found in upper or lower case, and unknown ones are dropped.

    An `optional` one is a pointer: it is missing unless it was given.
    """

    fields: Mapping[str, "Shape"]
    optional: bool = False


@dataclass(frozen=True)
class Anything:
    """What is kept as it is, and missing unless it was given."""


Shape = Plain | ListOf | MapOf | Struct | Anything
_TEXT, _NUMBER, _FLAG = Plain("string", str, ""), Plain("int", int, 0), Plain("bool", bool, False)
_TEXTS, _TEXT_MAP = ListOf(_TEXT), MapOf(_TEXT)
_PLACE = Struct({"storage_provider": _TEXT, "path": _TEXT, "prefix": _TEXTS, "suffix": _TEXTS})
_SCALE = {"min_scale": _NUMBER, "max_scale": _NUMBER}
_EXPOSE: Mapping[str, Shape] = {
    **_SCALE,
    **dict.fromkeys(("rewrite_target", "default_command", "set_auth"), _FLAG),
    **dict.fromkeys(("auth_type", "health_path", "probe_mode"), _TEXT),
    "cpu_threshold": _NUMBER,
}
_VOLUME = Struct(dict.fromkeys(("name", "size", "mount_path", "lifecycle_policy"), _TEXT), optional=True)
_FEDERATION: Mapping[str, Shape] = {
    **dict.fromkeys(("group_id", "topology", "delegation"), _TEXT),
    "rescheduler_threshold": _NUMBER,
    "members": ListOf(Anything()),
}
_PROVIDERS = Struct(
    dict.fromkeys(("minio", "s3", "onedata", "webdav", "rucio"), MapOf(Plain("types.Provider", dict, {})))
)
_SERVICE: Mapping[str, Shape] = {
    **dict.fromkeys(("name", "cluster_id", "memory", "cpu", "total_memory", "total_cpu", "log_level", "image"), _TEXT),
    **dict.fromkeys(("script", "vo", "owner", "visibility", "isolation_level", "interlink_node_name"), _TEXT),
    **dict.fromkeys(("enable_gpu", "enable_sgx", "image_prefetch", "alpine", "file_stage_in"), _FLAG),
    **dict.fromkeys(("allowed_users", "bucket_list", "image_pull_secrets"), _TEXTS),
    **dict.fromkeys(("annotations", "labels"), _TEXT_MAP),
    **dict.fromkeys(("input", "output"), ListOf(_PLACE)),
    "token": _TEXT,
    "ephemeral_storage_request": _TEXT,
    "synchronous": Struct(_SCALE),
    "environment": Struct({"variables": _TEXT_MAP, "secrets": _TEXT_MAP}),
    "mount": _PLACE,
    "volume": _VOLUME,
    "storage_providers": _PROVIDERS,
    "clusters": MapOf(Anything()),
    "kserve": Anything(),
}
_OMITTED_WHEN_EMPTY = ("script", "image_pull_secrets", "clusters")
_GO_NAMES = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "bool"}


class Release(NamedTuple):
    """What differs between the releases of OSCAR that are served."""

    version: str
    ports_are_lists: bool
    has_federation: bool
    updates_keep_scripts: bool
    """Whether an update keeps the script of a service with an HTTP interface."""

    @property
    def shape(self) -> Struct:
        """The structure that a definition is read into."""
        ports = ListOf(_NUMBER) if self.ports_are_lists else _NUMBER
        federated: Mapping[str, Shape] = (
            {"federation": Struct(_FEDERATION)}
            if self.has_federation
            else {"replicas": ListOf(Anything()), "delegation": _TEXT, "rescheduler_threshold": _NUMBER}
        )
        return Struct({**_SERVICE, **federated, "expose": Struct({**_EXPOSE, "api_port": ports, "nodePort": ports})})


RELEASES: Mapping[str, Release] = {
    "4.0.0": Release("4.0.0", ports_are_lists=False, has_federation=False, updates_keep_scripts=True),
    "4.1.2": Release("4.1.2", ports_are_lists=True, has_federation=True, updates_keep_scripts=False),
}
NEWEST = RELEASES["4.1.2"]


def read(body: Any, release: Release = NEWEST) -> Definition:
    """Return the whole definition of what a client has sent. Raises InvalidError."""
    found = decoded(body, release)
    if missing := "\n".join(_violations(found)):
        raise InvalidError(f"The service specification is not valid: {missing}")
    return filled(found)


def decoded(body: Any, release: Release = NEWEST) -> Definition:
    """Return a body in the types of the server's structure. Raises InvalidError."""
    found: Definition = _decoded(release.shape, body, "")
    return found


def _decoded(shape: Shape, value: Any, where: str) -> Any:
    if isinstance(shape, Anything):
        return copy.deepcopy(value)
    if isinstance(shape, Struct):
        return _structure(shape, {} if value is None else _as(dict, value, where, "types.Service"), where)
    if isinstance(shape, ListOf):
        elements = () if value is None else _as(list, value, where, f"[]{_go_name(shape.element)}")
        return [_decoded(shape.element, element, where) for element in elements]
    if isinstance(shape, MapOf):
        entries = {} if value is None else _as(dict, value, where, f"map[string]{_go_name(shape.element)}")
        return {str(key): _decoded(shape.element, entry, where) for key, entry in entries.items()}
    return shape.zero if value is None else _as(shape.python, value, where, shape.go)


def _structure(shape: Struct, value: Mapping[str, Any], where: str) -> Definition:
    given = {str(key).lower(): entry for key, entry in value.items()}
    found: Definition = {}
    for key, inner in shape.fields.items():
        entry = given.get(key.lower())
        is_pointer = isinstance(inner, Anything) or (isinstance(inner, Struct) and inner.optional)
        if entry is not None or not is_pointer:
            found[key] = _decoded(inner, entry, f"{where}.{key}")
    return found


def _as(kind: type, value: Any, where: str, go: str) -> Any:
    if type(value) is not kind:
        text = f"json: cannot unmarshal {_GO_NAMES.get(type(value), 'null')} into Go struct field Service{where}"
        raise InvalidError(f"The service specification is not valid: {text} of type {go}")
    return value


def _go_name(shape: Shape) -> str:
    return shape.go if isinstance(shape, Plain) else "types.StorageIOConfig" if shape == _PLACE else "interface {}"


def _violations(found: Definition) -> Iterator[str]:
    for key in ("name", "image", "script"):
        rule = "required" if not found[key] else ""
        if key == "name" and len(found[key]) > SERVICE_NAME_CHARACTERS:
            rule = "max"
        if rule:
            name = key.title()
            yield f"Key: 'Service.{name}' Error:Field validation for '{name}' failed on the '{rule}' tag"


def filled(found: Definition) -> Definition:
    """Return a definition with the few defaults that the server itself fills in."""
    name = found["name"]
    level = found["log_level"].upper()
    labels = {"oscar_service": name, "applicationId": name, "queue": f"root.oscar-queue.{name}"}
    done = {
        **found,
        "memory": found["memory"] or DEFAULT_MEMORY,
        "cpu": found["cpu"] or DEFAULT_CPU,
        "visibility": found["visibility"] or "private",
        "log_level": level if level in _LEVELS else "INFO",
        "script": found["script"].replace("\r\n", "\n").replace("\r", "\n"),
        "labels": {**found["labels"], **labels},
        "namespace": NAMESPACE,
        "storage_providers": {kind: entries for kind, entries in found["storage_providers"].items() if entries},
        **{direction: [_with_bucket(name, one) for one in found[direction]] for direction in ("input", "output")},
    }
    return {**done, "volume": _volume(name, found["volume"])} if found.get("volume") else done


def _with_bucket(service: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return a place in MinIO with its bucket: without a folder it is one in the service's own bucket."""
    path = entry["path"].strip(" /")
    kept = {key: value for key, value in entry.items() if value or key in ("storage_provider", "path")}
    is_folder = entry["storage_provider"].partition(".")[0].lower() == "minio" and path and "/" not in path
    return {**kept, "path": f"{service}/{path}"} if is_folder else kept


def _volume(service: str, volume: dict[str, str]) -> dict[str, str]:
    """Return a volume as the server completes it: one with a size is the service's own, and goes with it."""
    if not volume["size"]:
        return volume
    name, policy = volume["name"] or service, volume["lifecycle_policy"] or "delete"
    return {**volume, "name": name, "lifecycle_policy": policy}


def shown(definition: Mapping[str, Any], storage: Mapping[str, Any]) -> Definition:
    """Return a definition as the server shows it; `storage` are the settings of the cluster's own MinIO."""
    providers = definition["storage_providers"]
    own = {**storage, "access_key": HIDDEN, "secret_key": HIDDEN}
    environment = definition["environment"]
    document = {
        **definition,
        "storage_providers": {**providers, "minio": {**providers.get("minio", {}), "default": own}},
        "environment": {**environment, "secrets": dict.fromkeys(environment["secrets"], "")},
        "volume_status": {"enabled": bool(definition.get("volume"))},
    }
    return {key: value for key, value in document.items() if value or key not in _OMITTED_WHEN_EMPTY}


@dataclass(frozen=True)
class Place:
    """An input or output of a service; `folder` is empty where the path is a bucket alone."""

    kind: str
    identifier: str
    bucket: str
    folder: str
    entry: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def is_own(self) -> bool:
        """Whether it is in the cluster's own MinIO."""
        return (self.kind, self.identifier) == OWN_STORAGE


def place(entry: Mapping[str, Any]) -> Place:
    """Return the place that an entry of a definition names."""
    kind, _, identifier = str(entry["storage_provider"]).strip().partition(".")
    bucket, _, folder = str(entry["path"]).strip(" /").partition("/")
    return Place(kind.lower(), identifier or "default", bucket, folder, entry)


def places(definition: Mapping[str, Any], *directions: str) -> list[Place]:
    """Return the inputs, or outputs, or both."""
    return [place(entry) for direction in directions or ("input", "output") for entry in definition[direction]]


def own_buckets(definition: Mapping[str, Any], *directions: str) -> list[str]:
    """Return the buckets of the cluster's own MinIO that a service reads or writes, each once."""
    return list(dict.fromkeys(one.bucket for one in places(definition, *directions) if one.is_own))


def is_exposed(definition: Mapping[str, Any]) -> bool:
    """Whether a service has an HTTP interface of its own."""
    ports = definition["expose"]["api_port"]
    return any(ports) if isinstance(ports, list) else bool(ports)
