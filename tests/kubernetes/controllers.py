"""A stand-in for the controllers and nodes of a cluster: what is declared is said to run, what is deleted goes.

There are no containers here. Deployments become available, jobs complete, claims are bound, load balancers get an
address, namespaces are emptied: what OscarCluster and the provider wait for.
"""

import contextlib
import threading
from typing import Any

import urllib3

from tests.kubernetes.api_server import Client, RefusedError

_CONTENT = (
    "/apis/apps/v1/{}/deployments",
    "/apis/batch/v1/{}/jobs",
    "/apis/networking.k8s.io/v1/{}/ingresses",
    "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    "/api/v1/{}/configmaps",
    "/api/v1/{}/persistentvolumeclaims",
    "/api/v1/{}/secrets",
    "/api/v1/{}/serviceaccounts",
    "/api/v1/{}/services",
)
_TIME = "2026-01-01T00:00:00Z"


class Controllers:
    """One thread that looks at everything several times a second."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failing_jobs: set[str] = set()
        """Names of jobs that fail."""

    def __enter__(self) -> "Controllers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            # Somebody else changes things meanwhile; the next look sees how.
            with contextlib.suppress(RefusedError, urllib3.exceptions.HTTPError):
                self._look()

    def _look(self) -> None:
        for path, live in self._listed("/apis/apps/v1/deployments"):
            if live.get("status", {}).get("observedGeneration") != live["metadata"]["generation"]:
                self._report(path, _available(live))
        for path, live in self._listed("/apis/batch/v1/jobs"):
            if not live.get("status", {}).get("conditions"):
                self._report(path, _ended(failed=live["metadata"]["name"] in self.failing_jobs))
        for path, live in self._listed("/api/v1/persistentvolumeclaims"):
            if live["metadata"].get("deletionTimestamp"):
                self._client.merge(path, {"metadata": {"finalizers": None}})
            elif live["status"].get("phase") != "Bound":
                self._report(path, {"phase": "Bound"})
        for path, live in self._listed("/api/v1/services"):
            if live["spec"]["type"] == "LoadBalancer" and not live["status"]["loadBalancer"]:
                self._report(path, {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})
        for path, live in self._listed("/api/v1/namespaces"):
            if live["status"]["phase"] == "Terminating":
                self._empty(path, live)

    def _listed(self, path: str) -> list[tuple[str, Any]]:
        prefix, _, plural = path.rpartition("/")
        listing = self._client.get(path)["items"]
        return [(_path(prefix, plural, item["metadata"]), item) for item in listing]

    def _report(self, path: str, status: dict[str, Any]) -> None:
        self._client.merge(f"{path}/status", {"status": status}, "controllers")

    def _empty(self, path: str, namespace: Any) -> None:
        name = namespace["metadata"]["name"]
        for collection in _CONTENT:
            self._client.request("DELETE", collection.format(f"namespaces/{name}"))
        if not self._client.get(f"/api/v1/namespaces/{name}/persistentvolumeclaims")["items"]:
            self._client.request("PUT", f"{path}/finalize", {**namespace, "spec": {"finalizers": []}})


def _path(prefix: str, plural: str, metadata: Any) -> str:
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{prefix}{place}/{plural}/{metadata['name']}"


def _available(live: Any) -> dict[str, Any]:
    wanted = live["spec"]["replicas"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
    return {"observedGeneration": live["metadata"]["generation"], **counts}


def _ended(*, failed: bool) -> dict[str, Any]:
    if failed:
        kinds = {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    else:
        kinds = {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": "as the test wants it",
            "lastTransitionTime": _TIME,
        }
        for kind, reason in kinds.items()
    ]
    ended = {} if failed else {"succeeded": 1, "completionTime": _TIME}
    return {"startTime": _TIME, "conditions": conditions, **ended}
