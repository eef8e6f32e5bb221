"""Requests to one OSCAR cluster. https://docs.oscar.grycap.net/api/"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from scar_foundation.errors import ScarError
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.clusters import Cluster

_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A status and what came with it."""

    status: int
    body: bytes


class ClusterClient:
    """Asks a cluster, as its user or with the token of a service."""

    def __init__(self, cluster: Cluster, clients: Clients) -> None:
        self.cluster = cluster
        self._clients = clients

    def token(self, service: str) -> str:
        """The token of a service. Raises ScarError."""
        return str(self._document(f"/system/services/{quote(service)}", service)["token"])

    def jobs(self, service: str) -> dict[str, Mapping[str, Any]]:
        """The jobs of a service by name, all pages of them. Raises ScarError."""
        found: dict[str, Mapping[str, Any]] = {}
        page = ""
        while True:
            query = f"?page={quote(page)}" if page else ""
            document = self._document(f"/system/logs/{quote(service)}{query}", service)
            # Up to 4.0 the document is the jobs themselves.
            found |= document["jobs"] or {} if "jobs" in document else document
            following = document.get("next_page") if "jobs" in document else ""
            if not following or following == page:
                return found
            page = str(following)

    def log(self, service: str, job: str) -> str | None:
        """What a job has printed, each line with its time; None where nothing is known of it."""
        answer = self._as_user("GET", f"/system/logs/{quote(service)}/{quote(job)}?timestamps=true")
        return answer.body.decode("utf-8", "replace") if answer.status == 200 else None

    def storage(self) -> dict[str, Any]:
        """The settings of the cluster's own storage. Raises ScarError."""
        found: dict[str, Any] = self._document("/system/config", self.cluster.name)["minio_provider"]
        return found

    def send(self, url: str, body: bytes, token: str, seconds: float) -> Answer:
        """Hand an event to a service. Raises ScarError when the cluster cannot be reached."""
        return self._send("POST", url, {"Authorization": f"Bearer {token}"}, body, seconds)

    def _document(self, path: str, subject: str) -> Any:
        answer = self._as_user("GET", path)
        if answer.status in (401, 403):
            raise ScarError(
                f"cluster {self.cluster.name}: does not accept its user and password; "
                "`scar-pulumi up FILE` with the right ones corrects that"
            )
        if answer.status != 200:
            raise ScarError(f"{subject}: is not known on cluster {self.cluster.name}; `scar-pulumi up FILE` deploys it")
        return json.loads(answer.body)

    def _as_user(self, method: str, path: str) -> Answer:
        pair = f"{self.cluster.user}:{self.cluster.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return self._send(method, f"{self.cluster.endpoint}{path}", headers, b"", _SECONDS)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        session = self._clients.http(url, seconds, verify=self.cluster.verify)
        try:
            response = session.send(AWSRequest(method, url, headers, body).prepare())
            return Answer(response.status_code, response.content)
        except (NoConnection, HTTPClientError) as error:
            raise ScarError(
                f"cluster {self.cluster.name}: {self.cluster.endpoint} cannot be reached ({error}); check that it runs"
            ) from None
        finally:
            session.close()
