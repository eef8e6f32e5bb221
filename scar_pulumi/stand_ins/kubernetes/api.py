"""The API server over HTTP: objects read, applied and deleted; refusals as one sentence."""

import json
import os
import ssl
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from scar_pulumi.stand_ins.kubernetes.configuration import Connection
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.process import PARALLEL

Object: TypeAlias = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
"""https://kubernetes.io/docs/reference/using-api/server-side-apply/"""
_TIMEOUT = 60.0


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
        self._headers = _headers(connection)
        self._pool = _pool(connection)

    def get(self, path: str) -> Object | None:
        """An object or a document; None when there is none."""
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
        headers = {**self._headers, "Accept": "application/json", **({"Content-Type": content_type} if body else {})}
        try:
            answer = self._pool.request(method, url, body=json.dumps(body) if body else None, headers=headers)
        except HTTPError as error:
            raise ProviderError(
                f"{self._server}: the cluster does not answer ({type(error).__name__}: {error}); is it running?"
            ) from None
        document: Object = _document(answer.data)
        if answer.status >= 400:
            raise _refusal(answer.status, document)
        return document


def _headers(connection: Connection) -> dict[str, str]:
    if connection.token:
        return {"Authorization": f"Bearer {connection.token}"}
    if connection.basic:
        return dict(urllib3.make_headers(basic_auth=":".join(connection.basic)))
    return {}


def _pool(connection: Connection) -> urllib3.PoolManager:
    secure: dict[str, Any] = {}
    if connection.server.startswith("https:"):
        name = connection.server_name
        named = {"server_hostname": name, "assert_hostname": name} if name else {}
        secure = {"ssl_context": _context(connection), **named}
    # Every request may be made twice; a server with too much to do says when to come again.
    retries = urllib3.Retry(total=4, redirect=0, status_forcelist=[429], allowed_methods=None, raise_on_status=False)
    return urllib3.PoolManager(maxsize=PARALLEL, retries=retries, timeout=_TIMEOUT, **secure)


def _context(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=connection.authority)
    if not connection.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.certificate and connection.key:
        _load_certificate(context, connection.certificate + "\n" + connection.key)
    return context


def _load_certificate(context: ssl.SSLContext, pem: str) -> None:
    # The interface takes files only; this one is never on a disk.
    descriptor = os.memfd_create("client-certificate")
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


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
