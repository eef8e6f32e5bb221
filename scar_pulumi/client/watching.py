"""What an upload starts, as the bucket's own notifications tell before anything is sent.

Warnings only: where a bucket does not tell, or nobody may ask it, nothing is said.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any, NamedTuple

from scar_foundation.notification_filters import Filter, decoded_filter

_KINDS = ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations")
_CREATED = "s3:ObjectCreated:"
_SHOWN = 3

AskFunction = Callable[[str], Mapping[str, Any]]
"""Returns the configuration of a function by its ARN, in Lambda's words."""


class Watch(NamedTuple):
    """One notification of a bucket: who is told of which new objects."""

    arn: str
    filter: Filter

    @property
    def name(self) -> str:
        """The watching function's name, or the last part of another watcher's ARN."""
        return self.arn.rpartition(":")[2]

    def __str__(self) -> str:
        files = f" (files *{self.filter.end})" if self.filter.end else ""
        return f"'{self.name}' watches {self.filter.start or 'everything'}{files}"


def watches(s3: Any, bucket: str) -> list[Watch]:
    """Return who is told of new objects in a bucket; nobody where the bucket does not tell.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - help needs no AWS SDK

    try:
        told = s3.get_bucket_notification_configuration(Bucket=bucket)
    except (BotoCoreError, ClientError):
        return []
    if "EventBridgeConfiguration" in told:  # its rules may start anything
        return []
    entries = [entry for kind in _KINDS for entry in told.get(kind, ())]
    return [_watch(entry) for entry in entries if any(event.startswith(_CREATED) for event in entry["Events"])]


def _watch(entry: Mapping[str, Any]) -> Watch:
    rules = {
        rule["Name"].lower(): decoded_filter(rule["Value"])
        for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    }
    arn = next(str(entry[key]) for key in ("LambdaFunctionArn", "QueueArn", "TopicArn") if key in entry)
    return Watch(arn, Filter(rules.get("prefix", ""), rules.get("suffix", "")))


def upload_warnings(s3: Any, ask: AskFunction, bucket: str, keys: Sequence[str]) -> Iterator[str]:
    """Yield what the sender of these objects should know: that nobody watches them, or that results will meet."""
    present = watches(s3, bucket)
    if not present:
        return
    unwatched = [key for key in keys if not any(watch.filter.passes(key) for watch in present)]
    if unwatched:
        yield _unwatched(bucket, unwatched, len(keys), present)
    for watch in present:
        yield from _meeting(watch, ask, [key for key in keys if watch.filter.passes(key)])


def _unwatched(bucket: str, unwatched: Sequence[str], count: int, present: Sequence[Watch]) -> str:
    what = f"{bucket}/{unwatched[0]}" if count == 1 else f"{len(unwatched)} of {count} files ({_listed(unwatched)})"
    start = "starts" if count == 1 else "start"
    return f"{what} {start} nothing: in {bucket}, {_listed(sorted(set(map(str, present))))}"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_SHOWN], *(["…"] if len(texts) > _SHOWN else [])])


def _meeting(watch: Watch, ask: AskFunction, keys: Sequence[str]) -> Iterator[str]:
    """Yield a warning where files of one name, from different folders, start a function that keeps no tree."""
    by_name: dict[str, list[str]] = {}
    for key in keys:
        by_name.setdefault(key.rpartition("/")[2], []).append(key)
    pairs = [pair for same in by_name.values() for pair in combinations(same[:2], 2)]
    places = _flat_outputs(watch.arn, ask) if pairs else []
    if places:
        first, second = pairs[0]
        more = f" (and {len(pairs) - 1} more such files)" if len(pairs) > 1 else ""
        yield (
            f"{first} and {second}{more} have the same name: results of '{watch.name}' for them may overwrite each "
            f"other in {', '.join(places)}; `per_request: true` on its output keeps them apart"
        )


def _flat_outputs(arn: str, ask: AskFunction) -> list[str]:
    """Return the outputs of a function in which the results of all events lie side by side."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - help needs no AWS SDK

    with suppress(BotoCoreError, ClientError, LookupError, ValueError, TypeError):
        settings = json.loads(ask(arn)["Environment"]["Variables"]["SCAR_FUNCTION"])
        if "mapreduce" in settings:  # its results lie as deep as its inputs
            return []
        return [str(output["path"]) for output in settings.get("outputs", ()) if not output.get("per_request")]
    return []
