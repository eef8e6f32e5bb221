"""Waiting for objects: until they are ready, until they are gone."""

import time
from collections.abc import Callable
from typing import TypeVar

from scar_pulumi.stand_ins.kubernetes.api import Api, Object
from scar_pulumi.stand_ins.kubernetes.objects import annotation
from scar_pulumi.stand_ins.kubernetes.readiness import unready
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.progress import say

DEFAULT_TIMEOUT = 600.0
"""Seconds, as in the genuine plugin."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_T = TypeVar("_T")


class TooLongError(ProviderError):
    """What was waited for did not happen in time."""


def until_ready(api: Api, path: str, applied: Object, timeout: float) -> Object:
    """The object once it is ready. Raises TooLongError, or FailedError when it never will be."""
    if annotation(applied, "skipAwait") == "true" or unready(applied) is None or _waits_for_use(api, applied):
        return applied

    def look() -> tuple[Object | None, str]:
        live = api.get(path)
        if live is None:
            raise ProviderError("it was deleted by somebody else while it was made ready")
        reason = unready(live)
        return (None, reason) if reason else (live, "")

    return _until(look, timeout)


def until_gone(api: Api, path: str, timeout: float) -> None:
    """Return once the object is gone. Raises TooLongError with what keeps it."""

    def look() -> tuple[bool | None, str]:
        live = api.get(path)
        if live is None:
            return True, ""
        finalizers = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers") or ()
        return None, f"it is still there, kept by {', '.join(finalizers) or 'its grace period'}"

    _until(look, timeout)


def _until(look: Callable[[], tuple[_T | None, str]], timeout: float) -> _T:
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        found, reason = look()
        if found is not None:
            return found
        if time.monotonic() + pause > deadline:
            raise TooLongError(f"after {timeout:.0f} s {reason}")
        say(f"waiting: {reason}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _waits_for_use(api: Api, applied: Object) -> bool:
    """Whether it is a claim that is bound when a pod first mounts it, which nothing does yet."""
    if applied["kind"] != "PersistentVolumeClaim":
        return False
    name = applied["spec"].get("storageClassName")
    chosen = api.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") if name else None
    return bool(chosen and chosen.get("volumeBindingMode") == "WaitForFirstConsumer")
