"""The cluster that the provider's settings lead to: its API server, which must be on loopback, and the kinds it has."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias
from urllib.parse import urlencode

import urllib3
import yaml

from scar_foundation.http import HttpClient, NoAnswer, Tls, basic_authorization
from scar_foundation.plugin.failures import ProviderError, UnservedError, require_loopback
from scar_foundation.plugin.process import PARALLEL

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


def read_configuration(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Configuration:
    """Read the provider's inputs, which are strings, and the kubeconfig that they or the environment name.

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
    """Return the content of the kubeconfig and the folder that its paths are relative to."""
    content = str(given or "").strip()
    if "\n" in content or content.startswith("{"):
        return _parsed(content, "kubeconfig"), Path.cwd()
    named = given or environment.get("KUBECONFIG")
    path = Path(str(named)).expanduser() if named else Path.home() / ".kube" / "config"
    try:
        return _parsed(path.read_text(), str(path)), path.parent
    except OSError as error:
        raise UnservedError(
            f"kubeconfig: {path} cannot be read ({error.strerror}); set KUBECONFIG, or `kubeconfig` of the provider"
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
    raise UnservedError(f"kubeconfig: it has no {kind} {name!r}; set `{kind}` of the provider to one that it has")


def _connection(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> Connection:
    if unserved := {"exec", "auth-provider"} & user.keys():
        raise UnservedError(f"kubeconfig: users with {min(unserved)} are not supported; use a token or a certificate")
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


Object: TypeAlias = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
"""https://kubernetes.io/docs/reference/using-api/server-side-apply/"""
_SECONDS = 60.0
# Every request may be made twice; a server with too much to do says when to come again.
_RETRIES = urllib3.Retry(total=4, redirect=0, status_forcelist=[429], allowed_methods=None, raise_on_status=False)


class ApiError(ProviderError):
    """The API server refused a request; `code` is the HTTP status."""

    def __init__(self, message: str, code: int, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields
        """The fields that it objects to."""


class Api:
    """One API server. Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._server = connection.server
        self._headers = {"Accept": "application/json", **_authorization(connection)}
        self._client = HttpClient(seconds=_SECONDS, tls=_tls(connection), connections=PARALLEL)

    def get(self, path: str) -> Object | None:
        """Return an object or a document; None when there is none."""
        try:
            return self._request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def apply(self, path: str, manifest: Object, manager: str, *, force: bool, dry_run: bool = False) -> Object:
        """Apply a manifest as `manager` and return the whole object. Unknown and repeated fields are refused."""
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self._request("PATCH", path, query, manifest, _APPLY)

    def delete(self, path: str, propagation: str) -> None:
        """Ask for an object's deletion; one that is gone already is fine."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        try:
            self._request("DELETE", path, body=options)
        except ApiError as error:
            if error.code != 404:
                raise

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        url = f"{self._server}{path}{'?' + urlencode(query) if query else ''}"
        headers = {**self._headers, **({"Content-Type": content_type} if body else {})}
        content = json.dumps(body).encode() if body else None
        try:
            answer = self._client.request(method, url, headers=headers, body=content, retries=_RETRIES)
        except NoAnswer as error:
            raise ProviderError(
                f"{self._server}: the cluster does not answer ({error.reason}); is it running?"
            ) from None
        document: Object = _document(answer.data)
        if answer.status >= 400:
            raise _refusal(answer.status, document)
        return document


def _authorization(connection: Connection) -> dict[str, str]:
    if connection.token:
        return {"Authorization": f"Bearer {connection.token}"}
    return basic_authorization(*connection.basic) if connection.basic else {}


def _tls(connection: Connection) -> Tls:
    shown = f"{connection.certificate}\n{connection.key}" if connection.certificate and connection.key else None
    return Tls(connection.verify, None, connection.authority, connection.server_name, shown)


def _document(data: bytes) -> Object:
    try:
        document = json.loads(data or b"{}")
    except ValueError:
        return {"message": data.decode(errors="replace")[:500]}
    return document if isinstance(document, dict) else {"message": str(document)}


def _refusal(status: int, document: Object) -> ApiError:
    causes = (document.get("details") or {}).get("causes") or ()
    fields = tuple(str(cause["field"]) for cause in causes if cause.get("field"))
    message = " ".join(str(document.get("message") or f"HTTP status {status}").split())
    return ApiError(message, status, fields)


@dataclass(frozen=True)
class Kind:
    """A kind of object: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris."""

    api_version: str
    plural: str
    namespaced: bool

    def path(self, name: str, namespace: str | None) -> str:
        """Return the path of an object."""
        root = "/api" if "/" not in self.api_version else "/apis"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}/{self.api_version}{place}/{self.plural}/{name}"


class Kinds:
    """The kinds that a cluster serves, asked for once and again when one is missing. Thread-safe."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], Kind] = {}
        self._lock = Lock()

    def find(self, api_version: str, kind: str) -> Kind:
        """Return the kind of that name. Raises UnservedError when the cluster does not serve it."""
        if found := self.look(api_version, kind):
            return found
        raise UnservedError(
            f"{api_version} {kind}: the cluster does not serve this kind; "
            "install its CustomResourceDefinition, or correct apiVersion and kind"
        )

    def look(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind of that name, None when the cluster does not serve it."""
        key = (api_version, kind)
        if key not in self._known:
            with self._lock:
                if key not in self._known:
                    self._known |= self._ask(api_version)
        return self._known.get(key)

    def _ask(self, api_version: str) -> dict[tuple[str, str], Kind]:
        root = "/api" if "/" not in api_version else "/apis"
        listing: dict[str, Any] = self._api.get(f"{root}/{api_version}") or {}
        return {
            (api_version, entry["kind"]): Kind(api_version, entry["name"], bool(entry["namespaced"]))
            for entry in listing.get("resources") or ()
            if "/" not in entry["name"]  # subresources, such as deployments/status
        }
