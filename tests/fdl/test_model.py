"""Every key of the tables is a field of the model, of the type that its values have."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest

from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Kind, Section, Table, Text, Whole
from scar_pulumi.fdl.model import Function, MapReduce, OscarService, StoragePath
from scar_pulumi.fdl.tables import AWS_FUNCTION, MAPREDUCE, SERVICE


class Place(NamedTuple):
    """A key and the dataclass that has a field for it."""

    path: str
    key: Key
    section: Section
    field: str
    made: type


# `storage_path` takes these apart.
TAKEN_APART = {"storage_provider", "path"}
# What does not come from a key.
OWN = {"path", "cluster", "definition", "provider", "provider_id", "bucket"}
# `loading` fills in the defaults that depend on other values, and leaves out endpoints without a name and unused Batch.
ALWAYS = {
    "function.lambda.container.timeout_threshold",
    "function.api_gateway.name",
    *("function.batch.memory", "mapreduce.batch.memory"),
}
NOT_ALWAYS = {"function.api_gateway", "function.batch", "mapreduce.batch"}


def _places(section: Section, made: type, path: str) -> Iterator[Place]:
    for name, key in section.keys.items():
        where, kind = f"{path}.{name}", key.kind
        if key.note is not None or key.unused or (made is StoragePath and name in TAKEN_APART):
            continue
        if isinstance(kind, Section) and kind.inline:
            yield from _places(kind, made, where)
            continue
        field = key.field or name
        if section.rest is None or field in _fields(made):
            yield Place(where, key, section, field, made)
        below = kind.of if isinstance(kind, Items) else kind
        if isinstance(below, Section) and below.makes is not None:
            yield from _places(below, below.makes, where)


def _fields(made: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(made)}


PLACES = [
    *_places(AWS_FUNCTION, Function, "function"),
    *_places(MAPREDUCE, MapReduce, "mapreduce"),
    *_places(SERVICE, OscarService, "service"),
]


@pytest.mark.parametrize("place", PLACES, ids=[place.path for place in PLACES])
def test_every_key_has_a_field_of_its_type(place: Place) -> None:
    assert place.field in _fields(place.made), f"add it to {place.made.__name__}, or say field= or unused= in the table"
    hint = get_type_hints(place.made)[place.field]
    fits, optional = _without_none(hint)
    assert fits == _type(place.key.kind, fits)
    assert optional == _may_be_absent(place)


def test_every_field_has_a_key() -> None:
    for made in {place.made for place in PLACES}:
        assert _fields(made).keys() - OWN == {place.field for place in PLACES if place.made is made} - OWN


def test_no_two_keys_have_the_same_field() -> None:
    for root in ("function.", "mapreduce.", "service."):
        taken = [(place.made, place.field) for place in PLACES if place.path.startswith(root)]
        # An input and an output are the same kind of thing.
        assert {one for one in taken if taken.count(one) > 1 and one[0] is not StoragePath} == set()


def _may_be_absent(place: Place) -> bool:
    key, name = place.key, place.path.rpartition(".")[2]
    if place.path in ALWAYS | NOT_ALWAYS:
        return place.path in NOT_ALWAYS
    given = key.required or key.default is not None or name in place.section.together
    # A map that is not given is an empty one.
    return not given and not isinstance(key.kind, Table) and not _has_defaults(key.kind)


def _has_defaults(kind: Kind) -> bool:
    """Return whether a section is there even if it is not given, because something in it has a default."""
    if not isinstance(kind, Section) or kind.only_if_given:
        return False
    return any(key.default is not None or _has_defaults(key.kind) for key in kind.keys.values())


def _without_none(hint: Any) -> tuple[Any, bool]:
    arguments = get_args(hint)
    if get_origin(hint) is not Literal and NoneType in arguments:
        return reduce(or_, (one for one in arguments if one is not NoneType)), True
    return hint, False


def _type(kind: Kind, hint: Any) -> Any:
    """Return the type of a kind's values; where a hint says it more exactly, that."""
    if isinstance(kind, Text):
        return (Path | str if kind.or_content else Path) if kind.is_file else str
    if isinstance(kind, Choice):
        return Literal[kind.values] if get_origin(hint) is Literal else type(kind.values[0])
    if isinstance(kind, Items):
        return _type(kind.of, hint) if kind.most == 1 else tuple[_type(kind.of, None), ...]  # type: ignore[misc] # made here
    if isinstance(kind, Table):
        return Mapping[str, _type(kind.of, None)]  # type: ignore[misc] # likewise
    return kind.makes if isinstance(kind, Section) else _number(kind)


def _number(kind: Kind) -> type:
    return float if isinstance(kind, Whole) and kind.besides else {Whole: int, Flag: bool}[type(kind)]
