"""When an object is ready, by kind, and waiting until it is ready or gone."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import pause, show_progress
from scar_pulumi.stand_ins.kubernetes.cluster import Api, ApiError, Object
from scar_pulumi.stand_ins.kubernetes.objects import annotation

Reason = str | None


class FailedError(ProviderError):
    """An object that will never do its job, whatever one waits."""


def why_unready(live: Object) -> Reason:
    """Return why an object is not ready, or None when it is. Raises FailedError when it never will be."""
    group = str(live.get("apiVersion")).rpartition("/")[0]
    rule = _RULES.get((group, str(live.get("kind"))))
    return rule(live) if rule else None


def _status(live: Object) -> Mapping[str, Any]:
    return live.get("status") or {}


def _condition(live: Object, kind: str) -> Mapping[str, Any]:
    found = (entry for entry in _status(live).get("conditions") or () if entry.get("type") == kind)
    return next(found, {})


def _observed(live: Object) -> bool:
    return int(_status(live).get("observedGeneration") or 0) >= int(live["metadata"].get("generation") or 0)


def _deployment(live: Object) -> Reason:
    wanted = live["spec"].get("replicas", 1)
    if not _observed(live):
        return "its controller has not seen it yet"
    progress = _condition(live, "Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return f"it makes no progress: {progress.get('message', '')}"
    updated, available = (_status(live).get(name, 0) for name in ("updatedReplicas", "availableReplicas"))
    if min(updated, available) < wanted:
        return f"{available} of its {wanted} pods are available, {updated} of them up to date"
    return None


def _daemon_set(live: Object) -> Reason:
    status = _status(live)
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    if not _observed(live) or status.get("updatedNumberScheduled", 0) < wanted or ready < wanted:
        return f"{ready} of its {wanted} pods are available"
    return None


def _stateful_set(live: Object) -> Reason:
    wanted, ready = live["spec"].get("replicas", 1), _status(live).get("readyReplicas", 0)
    return None if _observed(live) and ready >= wanted else f"{ready} of its {wanted} pods are ready"


def _job(live: Object) -> Reason:
    failed = _condition(live, "Failed")
    if failed.get("status") == "True":
        raise FailedError(f"the job failed: {failed.get('reason', '')}: {failed.get('message', '')}")
    done = _condition(live, "Complete").get("status") == "True" or live["spec"].get("suspend")
    return None if done else "it is not complete"


def _claim(live: Object) -> Reason:
    return None if _status(live).get("phase") == "Bound" else "no volume is bound to it"


def _pod(live: Object) -> Reason:
    phase = _status(live).get("phase")
    if phase == "Failed":
        raise FailedError(f"the pod failed: {_status(live).get('message', '')}")
    ready = phase == "Succeeded" or _condition(live, "Ready").get("status") == "True"
    return None if ready else f"it is {phase or 'not scheduled'}"


def _service(live: Object) -> Reason:
    waits = live["spec"].get("type") == "LoadBalancer"
    return "it has no address yet" if waits and not _addresses(live) else None


def _ingress(live: Object) -> Reason:
    return None if _addresses(live) else "it has no address yet"


def _addresses(live: Object) -> list[Any]:
    return list((_status(live).get("loadBalancer") or {}).get("ingress") or ())


def _namespace(live: Object) -> Reason:
    return None if _status(live).get("phase") == "Active" else "it is not active"


def _definition(live: Object) -> Reason:
    return None if _condition(live, "Established").get("status") == "True" else "it is not established"


_RULES: Mapping[tuple[str, str], Callable[[Object], Reason]] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
}


_TERMS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})", "Exists": "{key}", "DoesNotExist": "!{key}"}
# What every pod says on its way; anything else is a reason why it does not start.
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing"})
_HAVE_PODS = frozenset({"DaemonSet", "Deployment", "Job", "StatefulSet"})


def _with_pods(reason: str, api: Api, live: Object) -> str:
    """Return why an object is not ready, with what its first pod that does not start says."""
    told = (f"pod {pod['metadata']['name']}: {problem}" for pod in _pods(api, live) for problem in pod_problems(pod))
    return "; ".join(filter(None, (reason, next(told, ""))))


def pod_problems(pod: Object) -> Iterator[str]:
    """Yield why a pod does not start: no node for it, an image that cannot be pulled, a container that crashes."""
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
    status = _status(pod)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "PodInitializing") not in _ON_ITS_WAY:
            message = waiting.get("message") or container.get("image", "")
            yield f"container {container['name']}: {waiting['reason']}: {message}"


def _pods(api: Api, live: Object) -> Iterable[Object]:
    """Return the pods that an object has made, or the pod itself."""
    if live["kind"] == "Pod":
        return (live,)
    if not (selector := (live.get("spec") or {}).get("selector")) or live["kind"] not in _HAVE_PODS:
        return ()
    query = urlencode({"labelSelector": _selector(selector)})
    try:
        found = api.get(f"/api/v1/namespaces/{live['metadata']['namespace']}/pods?{query}")
    except ApiError:  # the user may not list pods
        return ()
    return (found or {}).get("items") or ()


def _selector(selector: Mapping[str, Any]) -> str:
    labels = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    expressions = [
        _TERMS[term["operator"]].format(key=term["key"], values=",".join(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    return ",".join([*labels, *expressions])


DEFAULT_TIMEOUT = 600.0
"""Seconds, as in the genuine plugin."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_T = TypeVar("_T")


class TooLongError(ProviderError):
    """What was waited for did not happen in time."""


def until_ready(api: Api, path: str, applied: Object, timeout: float) -> Object:
    """Return the object once it is ready. Raises TooLongError, or FailedError when it never will be."""
    if annotation(applied, "skipAwait") == "true" or why_unready(applied) is None or _waits_for_use(api, applied):
        return applied

    def look() -> tuple[Object | None, str]:
        live = api.get(path)
        if live is None:
            raise ProviderError("it was deleted by somebody else before it was ready")
        reason = why_unready(live)
        return (None, _with_pods(reason, api, live)) if reason else (live, "")

    return _until(look, timeout)


def until_gone(api: Api, path: str, timeout: float) -> None:
    """Wait until the object is gone. Raises TooLongError with what keeps it."""

    def look() -> tuple[bool | None, str]:
        live = api.get(path)
        if live is None:
            return True, ""
        finalizers = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers") or ()
        return None, f"it still exists, kept by {', '.join(finalizers) or 'its grace period'}"

    _until(look, timeout)


def _until(look: Callable[[], tuple[_T | None, str]], timeout: float) -> _T:
    deadline, step = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        found, reason = look()
        if found is not None:
            return found
        if time.monotonic() + step > deadline:
            raise TooLongError(f"after {timeout:.0f} s {reason}")
        show_progress(f"waiting: {reason}")
        pause(step)
        step = min(step * 1.5, _LONGEST_PAUSE)


def _waits_for_use(api: Api, applied: Object) -> bool:
    """Return whether it is a claim that is bound when a pod first mounts it, which nothing does yet."""
    if applied["kind"] != "PersistentVolumeClaim":
        return False
    name = applied["spec"].get("storageClassName")
    chosen = api.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") if name else None
    return bool(chosen and chosen.get("volumeBindingMode") == "WaitForFirstConsumer")
