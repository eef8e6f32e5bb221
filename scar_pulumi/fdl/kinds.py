"""The vocabulary of the tables: what a value may be, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """A regular expression that a text must match (or, with `forbid`, must not contain), and what to say if not.

    Attributes:
        pattern: Matched with `fullmatch`, or searched for where `forbid` is set.
        says: The complaint, after "'the text' ".
        hint: What to do.
        forbid: Whether finding the pattern is the mistake.
    """

    pattern: str
    says: str
    hint: str | None = None
    forbid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text; with `loose`, numbers and booleans are taken as they are written, and nothing as "".

    Attributes:
        what: How to call it in a sentence: "a function name".
        longest: Most characters.
        rules: Checked in order; the first that fails is reported.
        loose: Whether unquoted numbers and booleans are welcome.
        optional: Whether "" means not given.
        bracketed: Whether a list of one word, as "[your token]" is read by YAML, is taken as that text.
    """

    what: str = "text"
    longest: int | None = None
    rules: tuple[Rule, ...] = ()
    loose: bool = False
    optional: bool = False
    bracketed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number with limits and their owner: "Lambda's minimum of 128 (MB)"."""

    minimum: int
    maximum: int
    unit: str = ""
    whose: str = "the"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few values.

    Attributes:
        values: Text or whole numbers.
        fold: Whether upper and lower case are the same; the value becomes that of `values`.
    """

    values: tuple[str | int, ...]
    fold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list of one kind; with `single`, one value may stand for a list of one."""

    of: "Kind"
    least: int = 0
    most: int | None = None
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A map with keys of the user's choice.

    Attributes:
        names: What the keys must look like.
        of: What the values are.
        most: Most entries.
        reserved: Keys that may not be set; an entry ending in "*" reserves all with that start.
        reserved_by: Who reserves them: "Lambda".
    """

    names: Text
    of: "Kind"
    most: int | None = None
    reserved: frozenset[str] = frozenset()
    reserved_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A map with known keys.

    Attributes:
        keys: What may stand in it.
        shorthand: Key that is meant when a single value is given instead of the map.
        exactly_one: Keys of which one must be given, and not two.
        at_least_one: Keys of which one must be given.
        together: Keys that are given all or none.
        free: Start of keys that are ignored, as a place for anchors.
        unknown_hint: What to do about an unknown key that resembles nothing.
        open_for: Who else may know keys that are not listed: these are passed on, with a warning.
        only_if_given: Whether a section that is not given has no defaults either.
    """

    keys: Mapping[str, "Key"]
    shorthand: str | None = None
    exactly_one: tuple[str, ...] = ()
    at_least_one: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    free: str | None = None
    unknown_hint: str | None = None
    open_for: str | None = None
    only_if_given: bool = False

    def canonical(self, name: str) -> str:
        """The listed name of a key that may be given by an alias."""
        if name in self.keys:
            return name
        return next((listed for listed, key in self.keys.items() if name in key.aliases), name)


@dataclass(frozen=True, slots=True)
class Anything:
    """Not looked into, and passed on as it is."""


Kind = Text | Whole | Flag | Choice | Items | Table | Section | Anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a section.

    Attributes:
        kind: What its value may be.
        doc: What it is for, its unit; becomes the editor's hover text.
        default: Used where the key is not given.
        required: Whether it must be given.
        secret: Whether the value must never be shown.
        link: Where the limits come from.
        note: Accepted without effect, and this is the warning; `quiet` values don't deserve one.
        quiet: Values, as written, for which the note is left out.
        aliases: Other names that files give it.
    """

    doc: str
    kind: Kind = Anything()
    default: Any = None
    required: bool = False
    secret: bool = False
    link: str | None = None
    note: str | None = None
    quiet: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
