"""What an update would change, and whether the object has to be replaced for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from scar_foundation.plugin.provider import Difference
from scar_foundation.plugin.values import join_path
from scar_pulumi.stand_ins.kubernetes.cluster import Configuration, Object
from scar_pulumi.stand_ins.kubernetes.objects import decoded, encoded, is_autonamed


def changed_paths(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the property paths that differ, each with "add", "delete" or "update"."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if not key.startswith("__"):
                yield from changed_paths(old.get(key), new.get(key), join_path(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before, after = (items[place] if place < len(items) else None for items in (old, new))
            yield from changed_paths(before, after, f"{path}[{place}]")
    elif old in (None, {}, []) and new in (None, {}, []):
        return
    else:
        yield path, "add" if old is None else "delete" if new is None else "update"


def drifted(declared: Any, wanted: Any, live: Any) -> Any:
    """Return what was declared, with the live value wherever applying it again would change something.

    `wanted` is what applying it again would give: quantities, defaults and the like are spelled there as in `live`.
    """
    if wanted == live:
        return declared
    if isinstance(declared, dict) and isinstance(wanted, dict) and isinstance(live, dict):
        return {
            name: drifted(value, wanted.get(name), live.get(name))
            for name, value in declared.items()
            if name in live or name not in wanted
        }
    if all(isinstance(items, list) for items in (declared, wanted, live)) and len(declared) == len(live) == len(wanted):
        return [drifted(*items) for items in zip(declared, wanted, live, strict=True)]
    return live


def drifted_strings(declared: Mapping[str, str], live: Object) -> dict[str, str]:
    """Return a Secret's `stringData` as its live `data` has it."""
    data = live.get("data") or {}
    return {name: decoded(data[name]) for name in declared if name in data}


# The same as in the genuine plugin:
# https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go
_EVERY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
_FIELDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        *_SELECTOR,
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", *_SELECTOR, "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolumeClaim"): ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ("", "Pod"): ("spec",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
}


def replacing_fields(manifest: Mapping[str, Any], configuration: Configuration) -> tuple[str, ...]:
    """Return the fields of an object whose change replaces it."""
    api_version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    group = api_version.rpartition("/")[0]
    fields = (*_EVERY, *_FIELDS.get((group, kind), ()))
    immutable = manifest.get("immutable") is True
    if (group, kind) == ("", "Secret") and (immutable or not configuration.secret_mutable):
        return (*fields, "data", "stringData")
    if (group, kind) == ("", "ConfigMap") and (immutable or not configuration.config_map_mutable):
        return (*fields, "data", "binaryData")
    return fields


def difference(olds: dict[str, Any], news: dict[str, Any], configuration: Configuration) -> Difference:
    """Compare the inputs of two declarations. An object whose name stays must go before its replacement comes."""
    if ("stringData" in olds) != ("stringData" in news):  # the genuine plugin keeps the data in its states
        olds, news = encoded(olds), encoded(news)
    paths = dict(changed_paths(olds, news))
    renamed = "metadata.name" in paths or "metadata.namespace" in paths
    fields = replacing_fields(news, configuration)
    return Difference(paths, fields, delete_first=not renamed and not is_autonamed(news))
