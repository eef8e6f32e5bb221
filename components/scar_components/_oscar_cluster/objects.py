"""Manifests as resources of the Kubernetes SDK."""

import importlib
import re

import pulumi

from scar_components._oscar_cluster.names import Manifest

_MODULES = {
    "": "core",
    "apps": "apps",
    "batch": "batch",
    "networking.k8s.io": "networking",
    "rbac.authorization.k8s.io": "rbac",
}
"""Modules of the SDK by API group."""


def declare(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Declare the object of a manifest, of whatever kind; groups without a module here are custom resources."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    content = {_python_name(key): value for key, value in manifest.items() if key not in {"apiVersion", "kind"}}
    made: pulumi.CustomResource
    if group in _MODULES:
        # Imported one by one when they are needed: each takes its time.
        module = importlib.import_module(f"pulumi_kubernetes.{_MODULES[group]}.{version}")
        made = getattr(module, manifest["kind"])(name, opts=opts, **content)
    else:
        custom = importlib.import_module("pulumi_kubernetes.apiextensions").CustomResource
        made = custom(name, api_version=manifest["apiVersion"], kind=manifest["kind"], opts=opts, **content)
    return made


def _python_name(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
