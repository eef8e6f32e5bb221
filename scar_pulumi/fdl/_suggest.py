"""What the writer may have meant by an unknown word."""

from collections.abc import Iterable

# Longer words are no typing mistakes, and comparing them takes long.
_LONGEST = 64


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that resembles a word most, if any does."""
    if len(word) > _LONGEST:
        return None
    known = {plain_word(candidate): candidate for candidate in candidates}
    if (same := known.get(plain_word(word))) is not None:
        return same
    from difflib import get_close_matches  # noqa: PLC0415 - costs 3 ms, and correct files never need it

    found = get_close_matches(plain_word(word), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def plain_word(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
