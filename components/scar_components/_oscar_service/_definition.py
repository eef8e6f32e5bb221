"""A service as OSCAR takes it, out of what a program says: defaults filled in, numbers and names as OSCAR wants them.

https://docs.oscar.grycap.net/fdl/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scar_components.function_arguments import FunctionStorage

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
