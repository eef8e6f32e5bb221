"""A service's JSON as OSCAR's server reads and tells it: with Go's types, and zeros for what is missing."""

import copy
from typing import Any

# https://github.com/grycap/oscar/blob/master/pkg/types/service.go, as of 4.1
_TEXT, _NUMBER, _FLAG, _LIST, _MAP = (str,), (int,), (bool,), (list,), (dict,)
FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "cluster_id", "memory", "cpu", "total_memory", "total_cpu", "log_level", "image"), _TEXT),
    **dict.fromkeys(("script", "token", "vo", "owner", "visibility", "isolation_level", "interlink_node_name"), _TEXT),
    **dict.fromkeys(("enable_gpu", "enable_sgx", "image_prefetch", "alpine", "file_stage_in"), _FLAG),
    **dict.fromkeys(("input", "output", "allowed_users", "bucket_list", "image_pull_secrets"), _LIST),
    **dict.fromkeys(("synchronous", "expose", "environment", "annotations", "labels", "mount"), _MAP),
    **dict.fromkeys(("storage_providers", "clusters", "federation", "volume"), _MAP),
}
EXPOSE: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("min_scale", "max_scale", "cpu_threshold"), _NUMBER),
    **dict.fromkeys(("rewrite_target", "default_command", "set_auth"), _FLAG),
    "health_path": _TEXT,
}
_HIDDEN = {"endpoint": "https://minio.minio:9000", "verify": True, "region": "us-east-1"}


class InvalidError(Exception):
    """What the server answers 400 to."""


def read(body: dict[str, Any], *, ports_are_lists: bool) -> dict[str, Any]:
    """Check a body's types and fill in zeros and the few defaults that the server applies."""
    ports = _LIST if ports_are_lists else _NUMBER
    _check(body, FIELDS, "Service")
    _check(body.get("expose") or {}, {**EXPOSE, "api_port": ports, "nodePort": ports}, "Expose")
    _check(body.get("synchronous") or {}, {"min_scale": _NUMBER, "max_scale": _NUMBER}, "Service.synchronous")
    for field in ("name", "image", "script"):
        if not body.get(field):
            raise InvalidError(f"Key: 'Service.{field.title()}' Error:Field validation for '{field}' failed")
    service = copy.deepcopy({key: kind[0]() for key, kind in FIELDS.items()} | body)
    service["memory"] = service["memory"] or "256Mi"
    service["cpu"] = service["cpu"] or "0.2"
    service["visibility"] = service["visibility"] or "private"
    service["log_level"] = service["log_level"].upper() or "INFO"
    service["labels"] = {**service["labels"], "oscar_service": service["name"], "applicationId": service["name"]}
    service["expose"] = {"min_scale": 0, "max_scale": 0, "cpu_threshold": 0, "health_path": "", **service["expose"]}
    service["synchronous"] = {"min_scale": 0, "max_scale": 0, **service["synchronous"]}
    environment = {key.lower(): value for key, value in service["environment"].items()}
    service["environment"] = {"variables": None, "secrets": None, **environment}
    service["storage_providers"].setdefault("minio", {})["default"] = {
        **_HIDDEN,
        "access_key": "hidden",
        "secret_key": "hidden",
    }
    return service


def _check(values: dict[str, Any], kinds: dict[str, tuple[type, ...]], where: str) -> None:
    for key, kind in kinds.items():
        value = values.get(key)
        if value is not None and (type(value) not in kind):
            text = f"json: cannot unmarshal {type(value).__name__} into Go struct field {where}.{key}"
            raise InvalidError(f"The service specification is not valid: {text}")
