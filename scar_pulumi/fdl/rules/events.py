"""Rules about what files start: S3's limits on notifications, functions that start themselves, and lost results.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from scar_foundation.limits import S3_NOTIFICATIONS
from scar_foundation.notification_filters import Filter
from scar_pulumi.fdl.document import AwsOwner, Document, Link, MapReduceValues

_OWN = ("s3", "default")


def buckets_have_one_region(document: Document) -> None:
    """Check that all functions that a bucket starts are in one region, its own; functions elsewhere may write to it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
    """
    readers: dict[str, list[Link]] = {}
    for link in document.inputs:
        if not isinstance(link.owner, AwsOwner) or (link.place.provider, link.place.provider_id) != _OWN:
            continue
        earlier = readers.setdefault(link.place.bucket, [])
        others = [one for one in earlier if _region(one) != _region(link)]
        # A region that contradicts this one is worse than none.
        if other := next((one for one in others if _region(one) and _region(link)), next(iter(others), None)):
            _report_regions(document, link, other)
        earlier.append(link)


def _region(link: Link) -> str | None:
    region: str | None = link.owner.settings.get("region") if isinstance(link.owner, AwsOwner) else None
    return region


def _report_regions(document: Document, link: Link, other: Link) -> None:
    here, there = _region(link), _region(other)
    message = f"'{link.place.bucket}' also starts '{other.owner.name}' ({document.line(other.path)})"
    if here and there:
        message += f" in {there}, and a bucket starts functions in its own region only"
        hint = f"give '{link.owner.name}' a bucket of its own, or both functions one region"
        document.error(f"{link.path}.path", message, hint)
    else:
        message += f", and both start only if the stack's region is {here or there}"
        document.warning(f"{link.path}.path", message, "give both functions a region, or none")


class _Watch(NamedTuple):
    filter: Filter
    order: int
    link: Link


def filters(link: Link) -> list[Filter]:
    """Return every pair of a `prefix` and a `suffix` of an input or output, below its folder."""
    folder = link.place.key_prefix
    return [Filter(folder + start, end) for start in link.place.prefix or ("",) for end in link.place.suffix or ("",)]


def notifications_are_accepted(document: Document) -> None:
    """Check that no two notifications of a bucket watch the same file, and that there are not too many."""
    buckets: dict[str, list[_Watch]] = {}
    watched = (link for link in document.inputs if link.path.startswith("functions.aws") and link.store == "s3")
    for order, link in enumerate(watched):
        watches = buckets.setdefault(link.place.bucket, [])
        watches.extend(_Watch(one, order, link) for one in filters(link))
        if len(watches) > S3_NOTIFICATIONS:
            message = (
                f"'{link.place.bucket}' has {len(watches)} notifications up to here, and S3 allows {S3_NOTIFICATIONS}"
            )
            document.error(f"{link.path}.path", message, "spread the inputs over several buckets")
            break
    for watches in buckets.values():
        reported: set[int] = set()
        for above, below in _meeting(watches):
            earlier, later = sorted((above, below), key=lambda watch: watch.order)
            if later.order not in reported:
                reported.add(later.order)
                _report_overlap(document, earlier, later)


def _meeting(watches: list[_Watch]) -> Iterator[tuple[_Watch, _Watch]]:
    """Yield all pairs that watch the same file: when sorted, whatever contains a prefix stands before it."""
    containing: list[_Watch] = []
    for watch in sorted(watches, key=lambda one: (one.filter.start, one.order)):
        while containing and not watch.filter.start.startswith(containing[-1].filter.start):
            containing.pop()
        yield from ((above, watch) for above in containing if above.filter.meets(watch.filter))
        containing.append(watch)


def _report_overlap(document: Document, earlier: _Watch, later: _Watch) -> None:
    link, other = later.link, earlier.link
    if earlier.order == later.order:
        message = "two of the names in 'prefix' or 'suffix' match the same file, which S3 does not accept"
        document.error(link.path, message, "leave out the longer one")
        return
    same = str(link.place) == str(other.place)
    what = "is the same place as" if same else f"overlaps with '{other.place}',"
    message = (
        f"'{link.place}' {what} an input of '{other.owner.name}' ({document.line(other.path)}); "
        "S3 starts only one function per file"
    )
    hint = "give each its own folder, side by side, or its own 'suffix'"
    document.error(f"{link.path}.path", message, hint)


# For each function's path: the outputs that start a function, and that function's path.
_Edges = Mapping[str, list[tuple[Link, str]]]

_MOST_NAMES = 6


def no_event_loops(document: Document) -> None:
    """Check that no output leads back to an input of its own function, unless that is allowed; chains are fine."""
    names = {owner.path: owner.name for owner in document.owners()}
    for link, way in _closing(_edges(document)):
        if document.report.full:
            return
        _report_loop(document, link, [names[path] for path in way])
    if any(owner.allow_loop for owner in document.owners()) and not document.report.failed:
        for link, way in _closing(_edges(document, allowed=True)):
            loop = _shown_loop([names[path] for path in way])
            message = f"files written to '{link.place}' start functions in a loop ({loop}), at your cost"
            document.warning(f"{link.path}.path", message, "make sure that the functions end it themselves")


def results_are_kept(document: Document) -> None:
    """Warn where two functions write to one place: files with the same name overwrite each other."""
    seen: dict[tuple[str, str], Link] = {}
    for link in document.outputs:
        if link.place.per_request:
            continue
        first = seen.setdefault((link.store, str(link.place)), link)
        meeting = any(one.meets(other) for one in filters(first) for other in filters(link))
        if first.owner.path != link.owner.path and meeting:
            message = (
                f"'{first.owner.name}' also writes to '{link.place}': files with the same name overwrite each other"
            )
            document.warning(f"{link.path}.path", message, "give each its own folder")


def results_of_each_input_are_kept(document: Document) -> None:
    """Warn where one function writes the results of several places to one: files there may have the same name."""
    for owner in document.owners():
        if isinstance(owner, MapReduceValues):  # each of its inputs has folders of its own in the output
            continue
        inputs = [link for link in document.inputs if link.owner.path == owner.path]
        outputs = [link for link in document.outputs if link.owner.path == owner.path and not link.place.per_request]
        pairs = combinations(inputs, 2) if outputs else ()
        meeting = next((pair for pair in pairs if _may_have_one_name(*pair)), None)
        if meeting is None:
            continue
        first, second = meeting
        message = (
            f"results for files of the same name in '{first.place}' and '{second.place}' may overwrite each other in "
            f"'{outputs[0].place}'"
        )
        document.warning(f"{second.path}.path", message, "set 'per_request: true' on the output")


def _may_have_one_name(one: Link, other: Link) -> bool:
    """Return whether two inputs may have files of the same name in different folders."""
    names = [
        [Filter(start, end) for start in link.place.prefix or ("",) for end in link.place.suffix or ("",)]
        for link in (one, other)
    ]
    return str(one.place) != str(other.place) and any(left.meets(right) for left in names[0] for right in names[1])


def _edges(document: Document, *, allowed: bool = False) -> _Edges:
    started: dict[tuple[str, str, str], list[Link]] = {}
    for link in document.inputs:
        started.setdefault((link.store, link.place.bucket, link.place.path), []).append(link)
    edges: dict[str, list[tuple[Link, str]]] = {owner.path: [] for owner in document.owners()}
    for link in document.outputs:
        if link.owner.allow_loop and not allowed:
            continue
        watching = (other for at in _folders(link) for other in started.get(at, ()))
        targets = dict.fromkeys(other.owner.path for other in watching if _may_start(link, other))
        edges[link.owner.path].extend((link, target) for target in targets)
    return edges


def _folders(link: Link) -> list[tuple[str, str, str]]:
    """Return all (store, bucket, folder) that contain a place, from the whole bucket down to the place itself."""
    place = link.place
    parts = place.path.split("/") if place.path else []
    return [(link.store, place.bucket, "/".join(parts[:depth])) for depth in range(len(parts) + 1)]


def _may_start(output: Link, watching: Link) -> bool:
    """Return whether a file that passes the output's filters may pass the input's."""
    return any(written.meets(watched) for written in filters(output) for watched in filters(watching))


def _closing(edges: _Edges) -> Iterator[tuple[Link, list[str]]]:
    """Yield the links that close a loop, each with the functions on it. Depth first, no recursion."""
    done: set[str] = set()
    for root in edges:
        way = {root: iter(edges[root])} if root not in done else {}
        while way:
            here = next(reversed(way))
            link, target = next(way[here], (None, ""))
            if link is None:
                del way[here]
                done.add(here)
            elif target in way:
                passed = list(way)
                yield link, passed[passed.index(target) :]
            elif target not in done:
                way[target] = iter(edges[target])


def _report_loop(document: Document, link: Link, names: list[str]) -> None:
    message = f"files written to '{link.place}' start functions in an endless loop ({_shown_loop(names)})"
    key = f"{link.owner.section}.allow_loop" if isinstance(link.owner, AwsOwner) else "allow_loop"
    document.error(f"{link.path}.path", message, f"write to a folder that no input watches, or set {key}: true")


def _shown_loop(names: list[str]) -> str:
    shown = [f"'{name}'" for name in (*names, names[0])]
    if len(shown) > _MOST_NAMES:
        shown[3:-2] = ["…"]
    return " → ".join(shown)
