"""The vocabulary of the tables: what a value may be, as data."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

from scar_foundation.limits import Range


class Rule(NamedTuple):
    """A regular expression that a text must match or, with `forbid`, must not contain.

    Attributes:
        pattern: Matched with `fullmatch`, or searched for where `forbid` is set.
        says: The message if the rule is broken, after "'the text' ".
        hint: What to do.
        forbid: Whether finding the pattern is the mistake.
    """

    pattern: str
    says: str
    hint: str | None = None
    forbid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text.

    Attributes:
        what: What messages call it: "a function name".
        longest: Most characters.
        rules: Checked in order; the first that is broken is reported.
        loose: Whether unquoted numbers and booleans are accepted, as they are written, and no value as "".
        optional: Whether "" means not given.
        bracketed: Whether a list of one word is accepted as text: YAML reads "[your token]" as a list.
        is_file: Whether it is the path of a file, relative to the directory of the FDL file.
        or_content: Whether text of several lines is the content of that file.
    """

    what: str = "text"
    longest: int | None = None
    rules: tuple[Rule, ...] = ()
    loose: bool = False
    optional: bool = False
    bracketed: bool = False
    is_file: bool = False
    or_content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number with limits, and who sets them: "Lambda's minimum of 128 (MB)".

    Attributes:
        besides: Fractions that are accepted as well.
    """

    minimum: int
    maximum: int
    unit: str = ""
    whose: str = "the"
    besides: tuple[float, ...] = ()

    @classmethod
    def within(cls, limits: Range, *, unit: str = "", whose: str = "the") -> "Whole":
        """Return the kind of a number within limits."""
        return cls(minimum=limits.least, maximum=limits.most, unit=unit, whose=whose)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Attributes:
        values: Text or whole numbers.
        fold: Whether case is ignored; the value becomes the one in `values`.
    """

    values: tuple[str | int, ...]
    _: KW_ONLY
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of one kind.

    Attributes:
        of: What its entries are.
        least: Fewest entries.
        most: Most entries. Of a list with at most one, the model has that one, or None.
        single: Whether a value that is no list stands for a list of one.
    """

    of: "Kind"
    _: KW_ONLY
    least: int = 0
    most: int | None = None
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A map whose keys the user chooses.

    Attributes:
        names: What the keys must look like.
        of: What the values are.
        most: Most entries.
        reserved: Keys that may not be set; a name that ends in "*" reserves all that start like it.
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
        keys: What it may hold.
        makes: The dataclass of the model that it becomes; None keeps a plain map.
        inline: Whether its keys become fields of what the section around it becomes.
        rest: The field for keys that have no field of their own: they are kept there as they are.
        shorthand: The key that is meant when a single value is given instead of the map.
        exactly_one: Keys of which exactly one must be given.
        at_least_one: Keys of which at least one must be given.
        together: Keys that must be given together or not at all.
        free: Keys that start like this are ignored: a place for anchors.
        unknown_hint: What to do about an unknown key that resembles no known one.
        open_for: Who may know keys that are not listed here: they are passed on, with a warning.
        only_if_given: Whether defaults apply only where the section is given.
    """

    keys: Mapping[str, "Key"]
    makes: type | None = None
    inline: bool = False
    rest: str | None = None
    shorthand: str | None = None
    exactly_one: tuple[str, ...] = ()
    at_least_one: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    free: str | None = None
    unknown_hint: str | None = None
    open_for: str | None = None
    only_if_given: bool = False

    def canonical(self, name: str) -> str:
        """Return the listed name of a key, which may be given by an alias."""
        if name in self.keys:
            return name
        return next((listed for listed, key in self.keys.items() if name in key.aliases), name)


@dataclass(frozen=True, slots=True)
class Anything:
    """Not checked, and passed on as it is."""


Kind = Text | Whole | Flag | Choice | Items | Table | Section | Anything


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section.

    Attributes:
        doc: What it is for, in one sentence: in the reference, and in the editor's hover text.
        kind: What its value may be.
        default: Used where the key is not given.
        default_doc: The default in words, where it depends on something.
        field: The field of the model that holds the value, where it is not named like the key.
        unused: Whether no field holds the value: only rules look at it.
        required: Whether it must be given.
        secret: Whether the value must never be shown.
        link: Where the limits come from.
        note: Why the key has no effect: it is accepted with this warning.
        quiet: Values, as written, that need no such warning.
        aliases: Other names that files give it.
    """

    doc: str
    kind: Kind = Anything()
    _: KW_ONLY
    default: Any = None
    default_doc: str | None = None
    field: str | None = None
    unused: bool = False
    required: bool = False
    secret: bool = False
    link: str | None = None
    note: str | None = None
    quiet: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def is_reserved(name: str, reserved: frozenset[str]) -> bool:
    """Return whether a name is reserved, itself or by its start."""
    return name in reserved or any(one.endswith("*") and name.startswith(one[:-1]) for one in reserved)
