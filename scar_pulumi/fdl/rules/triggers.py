"""The rules that S3 puts on notifications of one bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from collections.abc import Iterator
from typing import NamedTuple

from scar_pulumi.fdl._document import Document, Link

# https://docs.aws.amazon.com/general/latest/gr/s3.html
_MOST_PER_BUCKET = 100


class Filter(NamedTuple):
    """What one notification watches: keys that start and end with something."""

    start: str
    end: str

    def meets(self, other: "Filter") -> bool:
        """Whether a key may pass both."""
        starts = self.start.startswith(other.start) or other.start.startswith(self.start)
        return starts and (self.end.endswith(other.end) or other.end.endswith(self.end))


class _Watch(NamedTuple):
    filter: Filter
    order: int
    link: Link


def filters(link: Link) -> list[Filter]:
    """Every pair of a `prefix` and a `suffix` of an input or output, below its folder."""
    folder = link.place.key_prefix
    return [Filter(folder + start, end) for start in link.place.prefix or ("",) for end in link.place.suffix or ("",)]


def notifications_are_accepted(document: Document) -> None:
    """No two notifications of a bucket watch the same file, whoever they start, and there are not too many."""
    buckets: dict[str, list[_Watch]] = {}
    watched = (link for link in document.inputs if link.path.startswith("functions.aws") and link.store == "s3")
    for order, link in enumerate(watched):
        watches = buckets.setdefault(link.place.bucket, [])
        watches.extend(_Watch(one, order, link) for one in filters(link))
        if len(watches) > _MOST_PER_BUCKET:
            message = f"'{link.place.bucket}' has {len(watches)} notifications by here, S3 takes {_MOST_PER_BUCKET}"
            document.error(f"{link.path}.path", message, "spread the inputs over several buckets")
            break
    for watches in buckets.values():
        reported: set[int] = set()
        for above, below in _meeting(watches):
            earlier, later = sorted((above, below), key=lambda watch: watch.order)
            if later.order not in reported:
                reported.add(later.order)
                _report(document, earlier, later)


def _meeting(watches: list[_Watch]) -> Iterator[tuple[_Watch, _Watch]]:
    """All pairs that watch the same file: sorted, whatever contains a prefix stands before it."""
    containing: list[_Watch] = []
    for watch in sorted(watches, key=lambda one: (one.filter.start, one.order)):
        while containing and not watch.filter.start.startswith(containing[-1].filter.start):
            containing.pop()
        yield from ((above, watch) for above in containing if above.filter.meets(watch.filter))
        containing.append(watch)


def _report(document: Document, earlier: _Watch, later: _Watch) -> None:
    link, other = later.link, earlier.link
    if earlier.order == later.order:
        message = "two of the names in 'prefix' or 'suffix' fit the same file, and S3 accepts only one"
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
