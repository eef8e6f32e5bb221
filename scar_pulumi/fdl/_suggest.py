"""What the writer may have meant by an unknown word."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from scar_pulumi.fdl._kinds import Items, Kind, Section, Table
from scar_pulumi.fdl._schema import DOCUMENT

# Longer words are no typing mistakes, and comparing them takes long.
_LONGEST = 64


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that resembles a word most, if any does."""
    if len(word) > _LONGEST:
        return None
    known = {_plain(candidate): candidate for candidate in candidates}
    if (same := known.get(_plain(word))) is not None:
        return same
    from difflib import get_close_matches  # noqa: PLC0415 - costs 3 ms, and correct files never need it

    found = get_close_matches(_plain(word), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def unknown_key_hint(name: str, section: Section) -> str | None:
    """What to do about a key that a section doesn't know."""
    match = closest(name, section.keys)
    if match is not None and _plain(match) == _plain(name):
        return f"did you mean '{match}'?"
    if homes := _homes().get(name):
        return f"'{name}' belongs below {' or '.join(homes)}"
    return f"did you mean '{match}'?" if match else section.unknown_hint


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


@cache
def _homes() -> Mapping[str, list[str]]:
    homes: dict[str, list[str]] = {}
    for path, name in _keys(DOCUMENT, ""):
        homes.setdefault(name, []).append(path)
    return homes


def _keys(kind: Kind, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(kind, Section):
        for name, key in kind.keys.items():
            # What belongs to OSCAR alone is no advice for a function on AWS: it has its own keys of that name.
            if path and key.note is None and not path.startswith("functions.oscar"):
                yield path, name
            yield from _keys(key.kind, f"{path}.{name}" if path else name)
    elif isinstance(kind, Items):
        yield from _keys(kind.of, f"{path}[]")
    elif isinstance(kind, Table):
        yield from _keys(kind.of, f"{path}.*")
