"""What compute environments, queues, definitions and policies have in common: names, ARNs, pages and tags."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.store import Store
from scar_pulumi.cloud.signature import Caller

ENVIRONMENT, QUEUE, DEFINITION, POLICY = "compute-environment", "job-queue", "job-definition", "scheduling-policy"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def arn_of(kind: str, caller: Caller, name: str) -> str:
    """The ARN of a resource."""
    return f"arn:aws:batch:{caller.region}:{caller.account}:{kind}/{name}"


def caller_of_arn(arn: str) -> Caller:
    """The account and region of an ARN."""
    _, _, _, region, account, *_ = arn.split(":")
    return Caller(account, region, "batch")


def full_arn(kind: str, caller: Caller, reference: str) -> str:
    """The ARN that a name or an ARN means."""
    return reference if reference.startswith("arn:") else arn_of(kind, caller, reference)


def check_name(name: str, key: str) -> None:
    """Raises ClientError for a name that Batch does not take."""
    if not _NAME.fullmatch(name):
        raise ClientError(f"{key} should match valid pattern: {_NAME.pattern}; {name!r} does not")


def page(items: Sequence[Any], document: Mapping[str, Any], key: str, most: int = 100) -> dict[str, Any]:
    """One page of an answer: `maxResults` items from `nextToken` on."""
    start, size = bounds(document, most)
    return page_of(items[start : start + size + 1], start, size, key)


def bounds(document: Mapping[str, Any], most: int = 100) -> tuple[int, int]:
    """Where a page starts, and how many items are on it. Raises ClientError."""
    size = document.get("maxResults") or most
    if not 1 <= size <= most:
        raise ClientError(f"maxResults must be between 1 and {most}")
    return _start(document.get("nextToken")), size


def page_of(items: Sequence[Any], start: int, size: int, key: str) -> dict[str, Any]:
    """A page that starts there, of its items and the first one of the next page where there is one."""
    answer: dict[str, Any] = {key: list(items[:size])}
    if len(items) > size:
        answer["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer


def _start(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ClientError("nextToken is not one that Batch has given") from None


class Tags:
    """TagResource, UntagResource and ListTagsForResource, of resources and jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, arn: str) -> dict[str, Any]:
        """The tags of a resource."""
        return {"tags": self._read(arn)}

    def tag(self, arn: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """Adds tags, or changes them."""
        self._write(arn, {**self._read(arn), **tags})
        return {}

    def untag(self, arn: str, keys: Sequence[str]) -> dict[str, Any]:
        """Takes tags away."""
        self._write(arn, {key: value for key, value in self._read(arn).items() if key not in keys})
        return {}

    def _read(self, arn: str) -> dict[str, str]:
        if job := self._store.job(arn.partition(":job/")[2]):
            return dict(job.state.get("tags", job.spec.get("tags", {})))
        if (document := self._store.resource(arn)) is not None:
            return dict(document.get("tags", {}))
        raise ClientError(f"{arn} does not exist")

    def _write(self, arn: str, tags: dict[str, str]) -> None:
        if len(tags) > 50:
            raise ClientError(f"{arn} would have {len(tags)} tags; 50 are the most")
        if job := self._store.job(arn.partition(":job/")[2]):
            job.state["tags"] = tags
            self._store.save(job)
        elif (document := self._store.resource(arn)) is not None:
            self._store.update(arn, document | {"tags": tags})
