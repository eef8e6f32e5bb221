"""Objects without what the API server adds to them, and what our own annotations on them say."""

import base64
from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.kubernetes.api import Object

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/#System
_SYSTEM = (
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
MANAGER = "__fieldManager"
"""Output with the field manager that an object is applied as; the genuine plugin keeps its own there."""


def annotation(manifest: Mapping[str, Any], name: str) -> str | None:
    """The annotation `pulumi.com/<name>` of an object."""
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    value = annotations.get(f"pulumi.com/{name}")
    return None if value is None else str(value)


def manifest_of(inputs: Mapping[str, Any]) -> Object:
    """What is applied: a resource's inputs without what is of Pulumi, and without nothings."""
    manifest = {
        name: _something(value) for name, value in inputs.items() if not name.startswith("__") and value is not None
    }
    if manifest["kind"] == "Secret" and (written := manifest.pop("stringData", None)):
        # Server-side apply loses track of stringData, which the API server turns into data.
        encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in written.items()}
        manifest["data"] = {**manifest.get("data", {}), **encoded}
    return manifest


def declarable(live: Object) -> Object:
    """An object as a person would declare it: without its status and the system's metadata."""
    metadata = {name: value for name, value in live.get("metadata", {}).items() if name not in _SYSTEM}
    return {**{name: value for name, value in live.items() if name != "status"}, "metadata": metadata}


def outputs(live: Object, inputs: Mapping[str, Any], manager: str) -> Object:
    """A resource's outputs: the object, and what the API server keeps in another form."""
    metadata = {name: value for name, value in live.get("metadata", {}).items() if name != "managedFields"}
    written = {"stringData": inputs["stringData"]} if inputs.get("stringData") else {}
    return {**live, **written, "metadata": metadata, MANAGER: manager}


def foreseen(olds: Mapping[str, Any], old_inputs: Mapping[str, Any], news: Mapping[str, Any]) -> Object:
    """The outputs of an update as far as a preview can tell: what is declared, over what the API server has added."""
    added = {name: value for name, value in olds.items() if name in news or name not in old_inputs}
    declared = {name: _over(olds.get(name), old_inputs.get(name), value) for name, value in news.items()}
    return {**added, **declared}


def identity(manifest: Mapping[str, Any], *, namespaced: bool) -> str:
    """A resource's id: `namespace/name`, or `name`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if namespaced else str(metadata["name"])


def is_managed_by(live: Object, manager: str) -> bool:
    """Whether some of an object's fields were applied by a field manager."""
    entries = live.get("metadata", {}).get("managedFields") or ()
    return any(entry.get("manager") == manager and entry.get("operation") == "Apply" for entry in entries)


def decoded(data: object) -> str:
    """A value of a Secret's `data` as text."""
    return base64.b64decode(str(data)).decode(errors="replace")


def _over(old: Any, old_input: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return foreseen(old, old_input if isinstance(old_input, dict) else {}, new)


def _something(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _something(item) for name, item in value.items() if item is not None}
    return [_something(item) for item in value] if isinstance(value, list) else value
