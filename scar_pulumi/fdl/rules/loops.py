"""The rule against functions that start themselves for ever, directly or through others."""

from collections.abc import Iterator, Mapping

from scar_pulumi.fdl._document import Document, Link
from scar_pulumi.fdl.rules.triggers import filters

# For each function's path: the outputs that start a function, and that function's path.
_Edges = Mapping[str, list[tuple[Link, str]]]

_MOST_NAMES = 6


def no_event_loops(document: Document) -> None:
    """No output leads back to an input of its own function, unless that is allowed; chains are fine."""
    names = {owner.path: owner.name for owner in document.owners()}
    for link, way in _closing(_edges(document)):
        if document.report.full:
            return
        _report(document, link, [names[path] for path in way])
    if any(owner.allow_loop for owner in document.owners()) and not document.report.failed:
        for link, way in _closing(_edges(document, allowed=True)):
            loop = _shown([names[path] for path in way])
            message = f"files written to '{link.place}' start functions in a loop ({loop}), at your cost"
            document.warning(f"{link.path}.path", message, "make sure that the functions end it themselves")


def results_are_kept(document: Document) -> None:
    """Two functions don't write to one place, where files of one name replace each other."""
    seen: dict[tuple[str, str], Link] = {}
    for link in document.outputs:
        if link.place.per_request:
            continue
        first = seen.setdefault((link.store, str(link.place)), link)
        meeting = any(one.meets(other) for one in filters(first) for other in filters(link))
        if first.owner.path != link.owner.path and meeting:
            message = f"'{first.owner.name}' writes to '{link.place}', too: files of one name replace each other"
            document.warning(f"{link.path}.path", message, "give each its own folder")


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
    """All (store, bucket, folder) that contain a place, from the whole bucket down to the place itself."""
    place = link.place
    parts = place.path.split("/") if place.path else []
    return [(link.store, place.bucket, "/".join(parts[:depth])) for depth in range(len(parts) + 1)]


def _may_start(output: Link, watching: Link) -> bool:
    """Whether a file that passes the output's filters may pass the input's."""
    return any(written.meets(watched) for written in filters(output) for watched in filters(watching))


def _closing(edges: _Edges) -> Iterator[tuple[Link, list[str]]]:
    """The links that close a loop and the functions on it: without these there is none. Depth first, no recursion."""
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


def _report(document: Document, link: Link, names: list[str]) -> None:
    message = f"files written to '{link.place}' start functions in an endless loop ({_shown(names)})"
    key = "lambda.allow_loop" if link.path.startswith("functions.aws") else "allow_loop"
    document.error(f"{link.path}.path", message, f"write to a folder that no input watches, or set {key}: true")


def _shown(names: list[str]) -> str:
    shown = [f"'{name}'" for name in (*names, names[0])]
    if len(shown) > _MOST_NAMES:
        shown[3:-2] = ["…"]
    return " → ".join(shown)
