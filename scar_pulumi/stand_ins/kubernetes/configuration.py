"""The provider's own settings: which API server, as whom, which namespace. The server must be on loopback."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scar_pulumi.stand_ins.plugin.errors import UnservedError
from scar_pulumi.stand_ins.plugin.loopback import require_loopback

_REFUSAL = (
    "the stand-in kubernetes provider only talks to clusters on this machine; "
    "for any other install the genuine plugin: pulumi plugin install resource kubernetes"
)


@dataclass(frozen=True)
class Connection:
    """An API server and the credentials for it; certificates and keys are PEM."""

    server: str
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    basic: tuple[str, str] | None = None
    server_name: str | None = None
    verify: bool = True


@dataclass(frozen=True)
class Configuration:
    """The provider's settings."""

    connection: Connection
    namespace: str = "default"
    patch_force: bool = False
    upsert: bool = False
    secret_mutable: bool = False
    config_map_mutable: bool = False


def read(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration from the provider's inputs, as strings, and the kubeconfig that they or the environment name.

    Raises UnservedError when the API server is not on loopback, or nothing says which it is.
    """
    document, folder = _kubeconfig(settings.get("kubeconfig"), environment)
    context = _named(document, "context", settings.get("context") or document.get("current-context"))
    cluster = _named(document, "cluster", settings.get("cluster") or context.get("cluster"))
    user = _named(document, "user", context.get("user")) if context.get("user") else {}
    require_loopback(str(cluster.get("server") or ""), _REFUSAL)
    if "proxy-url" in cluster:
        raise UnservedError("kubeconfig: proxy-url is set; " + _REFUSAL)
    return Configuration(
        _connection(cluster, user, folder),
        str(settings.get("namespace") or context.get("namespace") or "default"),
        patch_force=_flag(settings, environment, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert=_flag(settings, environment, "upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        secret_mutable=_flag(settings, environment, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        config_map_mutable=_flag(
            settings, environment, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"
        ),
    )


def _kubeconfig(given: object, environment: Mapping[str, str]) -> tuple[dict[str, Any], Path]:
    """The content of the kubeconfig and the folder that its paths are relative to."""
    content = str(given or "").strip()
    if "\n" in content or content.startswith("{"):
        return _parsed(content, "kubeconfig"), Path.cwd()
    named = given or environment.get("KUBECONFIG")
    path = Path(str(named)).expanduser() if named else Path.home() / ".kube" / "config"
    try:
        return _parsed(path.read_text(), str(path)), path.parent
    except OSError as error:
        raise UnservedError(
            f"kubeconfig: {path} cannot be read ({error.strerror}); set KUBECONFIG, or kubeconfig of the provider"
        ) from None


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        raise UnservedError(f"{where}: it is not a kubeconfig; see https://kubernetes.io/docs/concepts/configuration/")
    return document


def _named(document: Mapping[str, Any], kind: str, name: object) -> dict[str, Any]:
    for entry in document.get(f"{kind}s") or ():
        if entry.get("name") == name:
            return dict(entry.get(kind) or {})
    raise UnservedError(f"kubeconfig: it has no {kind} {name!r}; name one that it has in {kind} of the provider")


def _connection(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> Connection:
    if unserved := {"exec", "auth-provider"} & user.keys():
        raise UnservedError(f"kubeconfig: users with {min(unserved)} are not served; use a token or a certificate")
    token = user.get("token")
    if token is None and "tokenFile" in user:
        token = (folder / user["tokenFile"]).read_text().strip()
    basic = (user["username"], user["password"]) if "username" in user and "password" in user else None
    return Connection(
        str(cluster["server"]).rstrip("/"),
        _pem(cluster, "certificate-authority", folder),
        _pem(user, "client-certificate", folder),
        _pem(user, "client-key", folder),
        token,
        basic,
        cluster.get("tls-server-name"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
    )


def _pem(entry: Mapping[str, Any], field: str, folder: Path) -> str | None:
    if data := entry.get(f"{field}-data"):
        return base64.b64decode(data).decode()
    return (folder / entry[field]).read_text() if entry.get(field) else None


def _flag(settings: Mapping[str, Any], environment: Mapping[str, str], name: str, variable: str) -> bool:
    # Settings of a provider travel as text.
    return str(settings.get(name, environment.get(variable, ""))).lower() == "true"
