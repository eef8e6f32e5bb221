"""A stand-in for the controllers and nodes of a cluster: what is declared is said to run, what is deleted goes.

There are no containers here. Deployments become available with a replica set for each revision, services get endpoints,
jobs complete, claims are bound, load balancers get an address, namespaces are emptied, objects go once nothing depends
on them: what OscarCluster and either provider plugin wait for.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import urllib3

from tests.kubernetes.api_server import Client, RefusedError

_CONTENT = (
    "/apis/apps/v1/{}/deployments",
    "/apis/apps/v1/{}/replicasets",
    "/apis/apps/v1/{}/statefulsets",
    "/apis/batch/v1/{}/jobs",
    "/apis/networking.k8s.io/v1/{}/ingresses",
    "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    "/api/v1/{}/configmaps",
    "/api/v1/{}/endpoints",
    "/api/v1/{}/persistentvolumeclaims",
    "/api/v1/{}/secrets",
    "/api/v1/{}/serviceaccounts",
    "/api/v1/{}/services",
)
_OF_THE_CLUSTER = (
    "/api/v1/{}namespaces",
    "/apis/apiextensions.k8s.io/v1/{}customresourcedefinitions",
    "/apis/rbac.authorization.k8s.io/v1/{}clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/{}clusterroles",
)
_FOREGROUND = "foregroundDeletion"
_REVISION = "deployment.kubernetes.io/revision"
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
        while not self._stop.wait(0.3):
            # Somebody else changes things meanwhile; the next look sees how.
            with contextlib.suppress(RefusedError, urllib3.exceptions.HTTPError):
                self._look()

    def _look(self) -> None:
        for path, live in self._listed("/apis/apps/v1/deployments"):
            if live.get("status", {}).get("observedGeneration") != live["metadata"]["generation"]:
                self._roll_out(path, live)
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
            self._point(path, live)
        for path, live in self._listed("/api/v1/namespaces"):
            if live["status"]["phase"] == "Terminating":
                self._empty(path, live)

        self._let_go()

    def _roll_out(self, path: str, deployment: Any) -> None:
        """Make the replica set of a deployment's present template, whose revision both are annotated with."""
        metadata, spec = deployment["metadata"], deployment["spec"]
        folder = f"/apis/apps/v1/namespaces/{metadata['namespace']}/replicasets"
        mine = [item for item in self._client.get(folder)["items"] if _owner(item) == metadata["uid"]]
        digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        name = f"{metadata['name']}-{metadata['uid'][:8]}-{digest}"
        revision = str(len(mine) + 1)
        if known := next((item for item in mine if item["metadata"]["name"] == name), None):
            revision = known["metadata"]["annotations"][_REVISION]
        else:
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
            described = {
                "metadata": {
                    "name": name,
                    "annotations": {_REVISION: revision},
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": {name: spec[name] for name in ("replicas", "selector", "template")},
            }
            self._client.request("POST", folder, described)
        counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), spec["replicas"])
        self._client.merge(f"{folder}/{name}", {"spec": {"replicas": spec["replicas"]}}, "controllers")
        self._report(f"{folder}/{name}", counts)
        self._client.merge(path, {"metadata": {"annotations": {_REVISION: revision}}}, "controllers")

    def _point(self, path: str, service: Any) -> None:
        endpoints = path.replace("/services/", "/endpoints/")
        if not service["spec"].get("selector") or self._client.exists(endpoints):
            return
        ports = [{"name": port.get("name", ""), "port": port["port"]} for port in service["spec"]["ports"]]
        subsets = [{"addresses": [{"ip": "192.0.2.8"}], "ports": ports}]
        described = {"metadata": {"name": service["metadata"]["name"]}, "subsets": subsets}
        self._client.request("POST", endpoints.rpartition("/")[0], described)

    def _let_go(self) -> None:
        """Delete what has lost its owner, and let go of what is deleted after its dependents."""
        for path, live in self._everything():
            finalizers = live["metadata"].get("finalizers") or []
            if _FOREGROUND in finalizers and live["metadata"].get("deletionTimestamp"):
                kept = [one for one in finalizers if one != _FOREGROUND]
                self._client.merge(path, {"metadata": {"finalizers": kept}})
        owners = {live["metadata"]["uid"] for _, live in self._listed("/apis/apps/v1/deployments")}
        for path, live in self._listed("/apis/apps/v1/replicasets"):
            if _owner(live) not in owners:
                self._client.request("DELETE", path)

    def _everything(self) -> Iterator[tuple[str, Any]]:
        for collection in (*_CONTENT, *_OF_THE_CLUSTER):
            yield from self._listed(collection.format("").replace("//", "/"))

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
    reasons = {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": _TIME}
        for kind, reason in reasons.items()
    ]
    return {"observedGeneration": live["metadata"]["generation"], "conditions": conditions, **counts}


def _owner(live: Any) -> str:
    return str(next((owner["uid"] for owner in live["metadata"].get("ownerReferences") or ()), ""))


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
