"""Objects as programs declare them and as the API server gives them: completed, applied, shown as outputs."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import Checked, Naming, Resource
from scar_foundation.plugin.values import UNKNOWN, Properties, as_secret, conceal, is_secret, secrets, texts
from scar_pulumi.stand_ins.kubernetes.cluster import Kinds, Object

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
# Without them in the state, the genuine plugin takes every input for new, and replaces what cannot be changed.
_INPUTS, _INITIAL_VERSION = "__inputs", "__initialApiVersion"


def annotation(manifest: Mapping[str, Any], name: str) -> str | None:
    """Return the annotation `pulumi.com/<name>` of an object."""
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    value = annotations.get(f"pulumi.com/{name}")
    return None if value is None else str(value)


def manifest_of(inputs: Mapping[str, Any]) -> Object:
    """Return what is applied: a resource's inputs without Pulumi's own properties and without empty values."""
    manifest = {
        name: _without_nulls(value) for name, value in inputs.items() if not name.startswith("__") and value is not None
    }
    # Server-side apply loses track of stringData, which the API server turns into data.
    return encoded(manifest)


def encoded(declared: Mapping[str, Any]) -> Object:
    """Return a declaration with a Secret's `stringData` as the `data` that it becomes."""
    if declared.get("kind") != "Secret" or not declared.get("stringData"):
        return dict(declared)
    rest = {name: value for name, value in declared.items() if name != "stringData"}
    data = {name: _encoded(text) for name, text in declared["stringData"].items()}
    return {**rest, "data": {**declared.get("data", {}), **data}}


def _encoded(text: Any) -> str:
    return UNKNOWN if text == UNKNOWN else base64.b64encode(str(text).encode()).decode()


def declarable(live: Object) -> Object:
    """Return an object as a person would declare it: without its status and the system's metadata."""
    metadata = {name: value for name, value in live.get("metadata", {}).items() if name not in _SYSTEM}
    return {**{name: value for name, value in live.items() if name != "status"}, "metadata": metadata}


def outputs(live: Object, inputs: Mapping[str, Any], manager: str) -> Object:
    """Return a resource's outputs: the object, and what the API server keeps in another form."""
    metadata = {name: value for name, value in live.get("metadata", {}).items() if name != "managedFields"}
    written = {"stringData": inputs["stringData"]} if inputs.get("stringData") else {}
    declared = {name: value for name, value in inputs.items() if not name.startswith("__")}
    kept = {_INPUTS: declared, _INITIAL_VERSION: live.get("apiVersion"), MANAGER: manager}
    return {**live, **written, "metadata": metadata, **kept}


def foresee(olds: Mapping[str, Any], old_inputs: Mapping[str, Any], news: Mapping[str, Any]) -> Object:
    """Return the outputs of an update in a preview: what is declared, over what the API server has added."""
    added = {name: value for name, value in olds.items() if name in news or name not in old_inputs}
    declared = {name: _merged(olds.get(name), old_inputs.get(name), value) for name, value in news.items()}
    return {**added, **declared}


def identity(manifest: Mapping[str, Any], *, namespaced: bool) -> str:
    """Return a resource's id: `namespace/name`, or `name`."""
    metadata = manifest["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if namespaced else str(metadata["name"])


def is_managed_by(live: Object, manager: str) -> bool:
    """Return whether some of an object's fields were applied by a field manager."""
    entries = live.get("metadata", {}).get("managedFields") or ()
    return any(entry.get("manager") == manager and entry.get("operation") == "Apply" for entry in entries)


def decoded(data: object) -> str:
    """Return a value of a Secret's `data` as text."""
    return base64.b64decode(str(data)).decode(errors="replace")


def _merged(old: Any, old_input: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return foresee(old, old_input if isinstance(old_input, dict) else {}, new)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


_AUTONAMED = "pulumi.com/autonamed"


def check(resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
    """Complete the inputs of a resource."""
    api_version, kind = kind_of(resource.type)
    checked = Checked({"apiVersion": api_version, "kind": kind, **news})
    if kind.endswith("Patch") or (kind.endswith("List") and "items" in news) or ":" in api_version:
        reason = f"{resource.type} is not served by the stand-in kubernetes provider; declare the objects one by one"
        checked.failures.append(("kind", reason))
    metadata = checked.inputs.get("metadata")
    if metadata == UNKNOWN:
        return checked
    metadata = dict(metadata or {})
    if not metadata.get("name"):
        automatic = _kept_name(olds) or naming.proposed or f"{resource.name}-{_suffix(naming.seed, resource.name)}"
        if naming.proposed == "" and not _kept_name(olds):
            checked.failures.append(("metadata.name", "automatic names are turned off (pulumi:autonaming); give one"))
        metadata["name"] = automatic
        metadata["annotations"] = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
    checked.inputs["metadata"] = metadata
    return checked


def settle_namespace(kinds: Kinds, inputs: Properties, default: str) -> None:
    """Fill in the namespace of an object that needs one; a cluster that does not answer fails later."""
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return
    try:
        found = kinds.look(inputs["apiVersion"], inputs["kind"])
    except ProviderError:
        return
    if found and found.namespaced:
        metadata["namespace"] = default


def is_autonamed(inputs: Mapping[str, Any]) -> bool:
    """Return whether the name was generated: a replacement can then come before the old object goes."""
    return annotation(inputs, "autonamed") == "true"


def kind_of(token: str) -> tuple[str, str]:
    """Return apiVersion and kind of `kubernetes:apps/v1:Deployment`; the core group has no name in an apiVersion."""
    _, module, kind = (*token.split(":"), "", "")[:3]
    return module.removeprefix("core/"), kind


def _kept_name(olds: Properties) -> str | None:
    metadata = olds.get("metadata") or {}
    return metadata.get("name") if is_autonamed(olds) else None


def _suffix(seed: bytes, name: str) -> str:
    return hashlib.sha256(seed + name.encode()).hexdigest()[:8]


_SHORTEST = 8
"""Characters; shorter ones are words that are found everywhere, such as a user's name."""


def hide(outputs: Mapping[str, Any], raw: Properties) -> Properties:
    """Conceal what is secret in `raw`, the same values in other places, and every Secret's content."""
    known = {text for secret in secrets(raw) for text in texts(secret) if len(text) >= _SHORTEST}
    known |= {base64.b64encode(text.encode()).decode() for text in known}
    concealed: Properties = _everywhere(conceal(dict(outputs), raw), known)
    if outputs.get("kind") == "Secret":
        concealed |= _content(outputs)
    if inputs := outputs.get(_INPUTS):
        concealed[_INPUTS] = hide(inputs, raw)
    return concealed


def _content(secret: Mapping[str, Any]) -> Properties:
    return {name: as_secret(secret[name]) for name in ("data", "stringData") if secret.get(name)}


def _everywhere(value: Any, known: set[str]) -> Any:
    if isinstance(value, dict):
        return value if is_secret(value) else {name: _everywhere(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_everywhere(item, known) for item in value]
    return as_secret(value) if isinstance(value, str) and value in known else value
