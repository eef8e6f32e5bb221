"""A real API server with its etcd, on loopback, and a plain client for it."""

import contextlib
import functools
import json
import os
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.world.aws_plugin import free_port
from tests.world.waiting import wait_for

ADMIN = "token-of-the-administrator"
MERGE = "application/merge-patch+json"


class RefusedError(Exception):
    """The API server's answer was no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Client:
    """Requests as the administrator, or as somebody that the administrator plays."""

    server: str
    authority: Path
    user: str | None = None

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": content_type}
        if self.user:
            headers["Impersonate-User"] = self.user
        content = json.dumps(body) if body else None
        answer = _pool(self.authority).request(method, f"{self.server}{path}", body=content, headers=headers)
        document = answer.json()
        if answer.status >= 400:
            raise RefusedError(answer.status, document.get("message", ""))
        return document

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
        except RefusedError as refusal:
            if refusal.status != 404:
                raise
            return False
        return True

    def merge(self, path: str, change: Mapping[str, Any], manager: str = "somebody-else") -> Any:
        query = urllib.parse.urlencode({"fieldManager": manager})
        return self.request("PATCH", f"{path}?{query}", change, MERGE)

    def acting_as(self, user: str) -> "Client":
        return Client(self.server, self.authority, user)

    def kubeconfig(self) -> str:
        cluster = {"server": self.server, "certificate-authority": str(self.authority)}
        return yaml.safe_dump(
            {
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "admin", "user": {"token": ADMIN}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                "current-context": "test",
            }
        )


@functools.cache
def _pool(authority: Path) -> urllib3.PoolManager:
    return urllib3.PoolManager(ca_certs=str(authority), retries=False, maxsize=10)


@contextlib.contextmanager
def api_server(programs: Path, directory: Path) -> Iterator[Client]:
    """Run etcd and the API server until the end of the block."""
    store, peer, port = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{store}"
    etcd = [programs / "etcd", "--data-dir", directory / "etcd", "--log-level", "error"]
    etcd += ["--listen-client-urls", url, "--advertise-client-urls", url]
    etcd += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    tokens = directory / "tokens.csv"
    tokens.write_text(f"{ADMIN},admin,admin,system:masters\n")
    key = programs / "service-accounts.key"
    server = [programs / "kube-apiserver", "--bind-address", "127.0.0.1", "--secure-port", str(port)]
    server += ["--etcd-servers", url, "--cert-dir", directory / "certificates", "--token-auth-file", tokens]
    server += ["--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key]
    server += ["--service-account-signing-key-file", key, "--authorization-mode", "RBAC"]
    server += ["--service-cluster-ip-range", "10.96.0.0/16", "--advertise-address", "127.0.0.1"]
    server += ["--endpoint-reconciler-type", "none"]
    client = Client(f"https://127.0.0.1:{port}", directory / "certificates" / "apiserver.crt")
    with _running(etcd, directory / "etcd.log"), _running(server, directory / "apiserver.log") as process:
        wait_for(lambda: process.poll() is not None or _is_ready(client), 120, "the API server is ready")
        assert process.poll() is None, (directory / "apiserver.log").read_text()[-2000:]
        try:
            yield client
        finally:
            _pool(client.authority).clear()


@contextlib.contextmanager
def _running(command: list[Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as file:
        process = subprocess.Popen([str(word) for word in command], stdout=file, stderr=file, env=dict(os.environ))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _is_ready(client: Client) -> bool:
    if not client.authority.exists():
        return False
    try:
        return bool(client.get("/api/v1/namespaces/default"))
    except (RefusedError, urllib3.exceptions.HTTPError, ValueError):
        return False
