"""Checks a document against the tables, reports everything that does not fit, and returns what does.

Returned are plain dicts, lists and scalars with defaults filled in. What was wrong is left out, so that the rules that
look at several values at once still see the rest.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any

from scar_pulumi.fdl.kinds import (
    Anything,
    Choice,
    Flag,
    Items,
    Key,
    Kind,
    Rule,
    Section,
    Table,
    Text,
    Whole,
    is_reserved,
)
from scar_pulumi.fdl.problems import Mark, Report, closest, join, plain_word, quoted, shorten
from scar_pulumi.fdl.references import FORMS, Reference, bad_reference, has_reference, split_references
from scar_pulumi.fdl.tables import DOCUMENT
from scar_pulumi.fdl.tree import Entry, ListNode, MapNode, Node, ScalarNode, is_null, kind_word, plain, plain_kind


class Missing(Enum):
    """What stands in for a value: INVALID after its problem was reported, ABSENT as if it had not been given."""

    INVALID = "invalid"
    ABSENT = "absent"


INVALID = Missing.INVALID
ABSENT = Missing.ABSENT
ScalarKind = Text | Whole | Flag | Choice

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_INTEGRAL = re.compile(r"[-+]?0*([0-9]{1,18})(?:\.0*)?")
# YAML 1.1's words, which people and SCAR's files use, besides YAML 1.2's.
TRUE_WORDS = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
FALSE_WORDS = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
_NEEDED = {Whole: "a whole number", Flag: "true or false", Choice: "one value"}
# Neither a process nor a JSON document can hold these.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class Scalars:
    """Checks single values and reports what is wrong with them.

    Attributes:
        references: Every reference that was read, and the path of its value.
    """

    def __init__(self, report: Report) -> None:
        self.references: list[tuple[str, Reference]] = []
        self._report = report

    def check(self, kind: ScalarKind, node: ScalarNode, path: str, *, secret: bool) -> str | float | Missing:
        """Return the value of a node, or INVALID after its problem was reported."""
        if isinstance(kind, Text):
            value = self._text(kind, node, path, secret=secret)
            return ABSENT if kind.optional and value == "" else value
        if isinstance(kind, Whole):
            return self._whole(kind, node, path)
        return self._flag(node, path) if isinstance(kind, Flag) else self._choice(kind, node, path)

    def _text(self, kind: Text, node: ScalarNode, path: str, *, secret: bool) -> str | Missing:
        if node.kind != "text" and node.typed and not kind.loose:
            hint = f'write "{node.text}"' if node.kind != "null" and not secret else None
            shown = "" if node.kind == "null" or secret else f"{shorten(node.text)} "
            self._report.error(node.mark, path, f"{shown}is {kind_word(node)}, not {kind.what}", hint)
            return INVALID
        value = "" if node.kind == "null" else node.text
        return value if self.text_fits(kind, value, node.mark, path, secret=secret) else INVALID

    def text_fits(self, kind: Text, value: str, mark: Mark, path: str, *, secret: bool = False) -> bool:
        """Return whether a text keeps a kind's rules; the first one broken is reported."""
        if kind.optional and not value:
            return True
        if has_reference(value):
            return self._reference_fits(value, mark, path, secret=secret)
        shown = "the value" if secret else quoted(value)
        if kind.longest is not None and len(value) > kind.longest:
            message = f"{shown} has {len(value)} characters, more than the {kind.longest} of {kind.what}"
            self._report.error(mark, path, message, "shorten it")
            return False
        broken = next((rule for rule in kind.rules if not _keeps(rule, value)), None)
        if broken is None and (bad := _UNUSABLE.search(value)):
            broken = Rule("", f"has the character U+{ord(bad[0]):04X}, which cannot be passed on", "remove it")
        if broken is not None:
            self._report.error(mark, path, f"{shown} {broken.says}", broken.hint)
        return broken is None

    def _reference_fits(self, value: str, mark: Mark, path: str, *, secret: bool) -> bool:
        if not secret:
            message = f"{quoted(value)} holds a reference, which only credentials and variables may"
            self._report.error(mark, path, message, "write the value itself")
            return False
        if bad_reference(value):
            self._report.error(mark, path, "holds a reference that cannot be read", f"write {FORMS}")
            return False
        self.references += [(path, part) for part in split_references(value) if isinstance(part, Reference)]
        return True

    def _whole(self, kind: Whole, node: ScalarNode, path: str) -> float | Missing:
        if kind.besides and (fraction := _fraction(node)):
            if fraction in kind.besides:
                return fraction
            others = " or ".join(map(str, kind.besides))
            self._report.error(node.mark, path, f"{shorten(node.text)} is not a whole number, {others}")
            return INVALID
        value = self._integer(node, path)
        if isinstance(value, Missing):
            return value
        unit = f" ({kind.unit})" if kind.unit else ""
        if value < kind.minimum:
            message = f"{shorten(node.text)} is below {kind.whose} minimum of {kind.minimum}{unit}"
        elif value > kind.maximum:
            message = f"{shorten(node.text)} is above {kind.whose} maximum of {kind.maximum}{unit}"
        else:
            return value
        self._report.error(node.mark, path, message)
        return INVALID

    def _flag(self, node: ScalarNode, path: str) -> bool | Missing:
        known = node.text in TRUE_WORDS | FALSE_WORDS
        in_quotes = node.typed and node.kind == "text" and node.text.lower() in ("true", "false")
        if known and not in_quotes:
            return node.text in TRUE_WORDS
        hint = f"write {node.text.lower()} without quotes" if known else "write true or false"
        self._report.error(node.mark, path, f"{quoted(node.text)} is {kind_word(node)}, not true or false", hint)
        return INVALID

    def _choice(self, kind: Choice, node: ScalarNode, path: str) -> str | int | Missing:
        if isinstance(kind.values[0], int):
            return self._chosen_number(kind, node, path)
        known = {str(one).upper() if kind.fold else str(one): one for one in kind.values}
        value = node.text.upper() if kind.fold else node.text
        if value in known:
            return known[value]
        match = closest(value, [str(one) for one in kind.values])
        hint = f"did you mean {match}?" if match else None
        self._report.error(node.mark, path, f"{quoted(node.text)} is not one of {_listed(kind.values)}", hint)
        return INVALID

    def _chosen_number(self, kind: Choice, node: ScalarNode, path: str) -> int | Missing:
        value = self._integer(node, path)
        if isinstance(value, Missing) or value in kind.values:
            return value
        nearest = min((int(one) for one in kind.values), key=lambda one: abs(one - value))
        message = f"{shorten(node.text)} is not one of {_listed(kind.values)}"
        self._report.error(node.mark, path, message, f"the nearest is {nearest}")
        return INVALID

    def _integer(self, node: ScalarNode, path: str) -> int | Missing:
        if node.kind == "integer" and _DECIMAL.fullmatch(node.text):
            return int(node.text)
        self._report.error(node.mark, path, *_not_an_integer(node))
        return INVALID


def _keeps(rule: Rule, value: str) -> bool:
    if rule.forbid:
        return re.search(rule.pattern, value) is None
    return re.fullmatch(rule.pattern, value) is not None


def _fraction(node: ScalarNode) -> float:
    written = node.kind != "text" and re.fullmatch(r"[0-9]{0,3}\.[0-9]{1,9}", node.text)
    return float(node.text) if written else 0.0


def _not_an_integer(node: ScalarNode) -> tuple[str, str]:
    text = node.text.strip().replace("_", "")
    plain = _INTEGRAL.fullmatch(text)
    number = str(int(plain[1])) if plain else ""
    if node.kind == "text" and plain and number == node.text:
        return f"{quoted(node.text)} is text, not a whole number", f"write {number} without quotes"
    shown = quoted(node.text) if node.kind == "text" else shorten(node.text)
    if plain:
        return f"{shown} is not written as a whole number", f"write {number}"
    if unit := re.fullmatch(r"([0-9]{1,18})\s*[a-zA-Z]{1,10}", text):
        return (f"{shown} is not a whole number", f"write the number without the unit '{text[len(unit[1]) :].strip()}'")
    return f"{shown} is not a whole number", "write decimal digits only"


def _listed(values: tuple[str | int, ...]) -> str:
    return ", ".join(str(value) for value in values)


class Checker:
    """Checks nodes against kinds.

    Attributes:
        places: Where the value at each path stands.
    """

    def __init__(self, report: Report) -> None:
        self.places: dict[str, Mark] = {}
        self._report = report
        self._scalars = Scalars(report)

    @property
    def references(self) -> list[tuple[str, Reference]]:
        """Every `${…}` that was read, and the path of its value."""
        return self._scalars.references

    def check(self, kind: Kind, node: Node, path: str, *, secret: bool = False) -> Any:
        """Return the value of a node, or INVALID after its problems were reported."""
        self.places[path] = node.mark
        return _CHECKS[type(kind)](self, kind, node, path, secret)

    def _section(self, kind: Section, node: Node, path: str, secret: bool) -> Any:
        if kind.shorthand and isinstance(node, ScalarNode) and not is_null(node):
            node = MapNode(node.mark, {kind.shorthand: Entry(node.mark, node)})
        if not isinstance(node, MapNode):
            needed = f"a map with keys such as '{next(iter(kind.keys))}'"
            return self._wrong(node, path, needed, secret=secret)
        values, given = {}, set()
        for written, entry in node.entries.items():
            name = kind.canonical(written)
            if name != written and name in node.entries:
                self._report.error(entry.mark, join(path, name), f"is also given as '{shorten(written)}'", "remove one")
                continue
            value = self._entry(kind, name, entry, path, secret)
            if value is not ABSENT:
                given.add(name)
            if value is not ABSENT and value is not INVALID:
                values[name] = value
        self._presence(kind, node.mark, path, given)
        for name, key in kind.keys.items():
            if name not in given and (default := _default(key)) is not None:
                values[name] = default
        return values

    def _entry(self, kind: Section, name: str, entry: Entry, path: str, secret: bool) -> Any:
        key, where = kind.keys.get(name), join(path, name)
        if key is None and kind.open_for is not None:
            return self._passed_on(kind, name, entry, where)
        if key is None:
            if kind.free is None or not name.startswith(kind.free):
                hint = None if self._report.full else unknown_key_hint(name, kind, where)
                self._report.error(entry.mark, where, f"the key '{shorten(name)}' is unknown", hint)
            return ABSENT
        if is_null(entry.value):
            return self._no_value(key, entry.mark, where)
        if key.note is not None:
            self._note(key, entry, where)
            return ABSENT
        return self.check(key.kind, entry.value, where, secret=secret or key.secret)

    def _passed_on(self, kind: Section, name: str, entry: Entry, path: str) -> Any:
        match = None if self._report.full else closest(name, kind.keys)
        hint = f"did you mean '{match}'?" if match else None
        message = f"the key '{shorten(name)}' is not known here, and is passed on to {kind.open_for}"
        self._report.warning(entry.mark, path, message, hint)
        self._note_places(entry.value, path)
        return plain(entry.value)

    def _note_places(self, node: Node, path: str) -> None:
        """Note where everything in a value that is not checked stands."""
        self.places[path] = node.mark
        if isinstance(node, MapNode):
            for name, entry in node.entries.items():
                self._note_places(entry.value, join(path, name))
        elif isinstance(node, ListNode):
            for index, item in enumerate(node.items):
                self._note_places(item, f"{path}[{index}]")

    def _no_value(self, key: Key, mark: Mark, path: str) -> Any:
        if key.required:
            self._report.error(mark, path, "has no value")
            return INVALID
        if key.note is None and _has_default(key):
            self._report.warning(mark, path, "has no value, so the default applies", "remove it")
        elif key.note is None:
            self._report.warning(mark, path, "has no value, as if it were not there", "give it one, or remove it")
        return ABSENT

    def _note(self, key: Key, entry: Entry, path: str) -> None:
        value = entry.value
        empty = (isinstance(value, ListNode) and not value.items) or (isinstance(value, MapNode) and not value.entries)
        if not empty and not (isinstance(value, ScalarNode) and value.text in key.quiet):
            self._report.warning(entry.mark, path, f"has no effect: {key.note}")

    def _presence(self, kind: Section, mark: Mark, path: str, given: set[str]) -> None:
        for name, key in kind.keys.items():
            if key.required and name not in given:
                self._report.error(mark, path, f"'{name}' is missing")
        for choice in (kind.exactly_one, kind.at_least_one):
            self._choice_of_keys(kind, choice, mark, path, given)
        absent = [name for name in kind.together if name not in given]
        if absent and len(absent) < len(kind.together):
            together = " and ".join(f"'{name}'" for name in kind.together)
            self._report.error(mark, path, f"'{absent[0]}' is missing", f"give both {together}, or neither")

    def _choice_of_keys(self, kind: Section, choice: tuple[str, ...], mark: Mark, path: str, given: set[str]) -> None:
        chosen = [name for name in choice if name in given]
        if choice and not chosen:
            usable = " or ".join(f"'{name}'" for name in choice)
            self._report.error(mark, path, f"{usable} is missing")
        if len(chosen) > 1 and choice is kind.exactly_one:
            both = " and ".join(f"'{name}'" for name in chosen)
            self._report.error(mark, path, f"{both} cannot both be given", "give one of them")

    def _items(self, kind: Items, node: Node, path: str, secret: bool) -> Any:
        if kind.single and not isinstance(node, ListNode):
            node = ListNode(node.mark, [node])
        if not isinstance(node, ListNode):
            text = f"write [{_in_list(node)}]" if isinstance(node, ScalarNode) and not secret else "put '- ' before it"
            return self._wrong(node, path, "a list", text, secret=secret)
        if len(node.items) < kind.least:
            self._report.error(node.mark, path, "is an empty list", f"give at least {kind.least}")
            return INVALID
        if kind.most is not None and len(node.items) > kind.most:
            self._report.error(node.mark, path, f"has {len(node.items)} entries", f"give at most {kind.most}")
            return INVALID
        values = [self.check(kind.of, item, f"{path}[{i}]", secret=secret) for i, item in enumerate(node.items)]
        # Sections keep their index, which rules name in paths; of single values half a list would mean something else.
        return values if isinstance(kind.of, Section) or INVALID not in values else INVALID

    def _table(self, kind: Table, node: Node, path: str, secret: bool) -> Any:
        if not isinstance(node, MapNode):
            hint = "write 'NAME: value' lines without '- '" if isinstance(node, ListNode) else None
            return self._wrong(node, path, "a map of names and values", hint, secret=secret)
        if kind.most is not None and len(node.entries) > kind.most:
            self._report.error(node.mark, path, f"has {len(node.entries)} entries", f"AWS accepts at most {kind.most}")
        if isinstance(kind.of, Section) and _is_itself(node, kind.of):
            hint = "write it above them, and indent them below it"
            self._report.error(node.mark, path, f"{kind.names.what} is missing: these keys belong below one", hint)
            return INVALID
        values = {}
        for name, entry in node.entries.items():
            where = join(path, name)
            fits = self._scalars.text_fits(kind.names, name, entry.mark, where)
            if is_reserved(name, kind.reserved):
                self._report.error(entry.mark, where, f"is reserved: {kind.reserved_by} sets it", "choose another name")
            value = self.check(kind.of, entry.value, where, secret=secret)
            if fits and value is not INVALID:
                values[name] = value
        return values

    def _scalar(self, kind: ScalarKind, node: Node, path: str, secret: bool) -> Any:
        if isinstance(kind, Text) and kind.bracketed and isinstance(node, ListNode) and len(node.items) == 1:
            node = self._placeholder(node, path)
        if not isinstance(node, ScalarNode):
            return self._wrong(node, path, kind.what if isinstance(kind, Text) else _NEEDED[type(kind)])
        return self._scalars.check(kind, node, path, secret=secret)

    def _placeholder(self, node: ListNode, path: str) -> Node:
        """Return a list of one word as the text that it looks like."""
        inner = node.items[0]
        if not isinstance(inner, ScalarNode) or is_null(inner):
            return node
        self._report.warning(node.mark, path, "is a list of one word, taken as text with brackets", "put it in quotes")
        return ScalarNode(node.mark, f"[{inner.text}]")

    def _anything(self, kind: Anything, node: Node, path: str, secret: bool) -> Any:  # noqa: ARG002 - one shape
        self._note_places(node, path)
        return plain(node)

    def _wrong(self, node: Node, path: str, needed: str, hint: str | None = None, *, secret: bool = False) -> Any:
        visible = isinstance(node, ScalarNode) and not is_null(node) and not secret
        shown = f"{quoted(node.text)} " if visible and isinstance(node, ScalarNode) else ""
        self._report.error(node.mark, path, f"{shown}is {kind_word(node)}, not {needed}", hint)
        return INVALID


def _is_itself(node: MapNode, of: Section) -> bool:
    """Return whether a map is one of the entries that it should hold by name."""
    return any(name in of.keys and not isinstance(one.value, MapNode) for name, one in node.entries.items())


def _in_list(node: ScalarNode) -> str:
    """Return a value as an entry of a list in brackets: in quotes, unless it is the same without."""
    if re.fullmatch(r"[\w/.-]+", node.text) and (node.kind != "text" or plain_kind(node.text) == "text"):
        return node.text
    return json.dumps(node.text, ensure_ascii=False)


def _default(key: Key) -> Any:
    if isinstance(key.kind, Section) and not key.required and key.note is None:
        if key.kind.only_if_given:
            return None
        inner = {name: value for name, below in key.kind.keys.items() if (value := _default(below)) is not None}
        return inner or None
    return list(key.default) if isinstance(key.default, tuple) else key.default


def _has_default(key: Key) -> bool:
    return key.default_doc is not None or _default(key) is not None


def unknown_key_hint(name: str, section: Section, path: str = "") -> str | None:
    """Return what to do about a key that a section does not know; `path` is where it stands."""
    match = closest(name, section.keys)
    if match is not None and plain_word(match) == plain_word(name):
        return f"did you mean '{match}'?"
    if homes := _fitting(_homes().get(name, []), path):
        return f"'{name}' belongs below {' or '.join(homes)}"
    return f"did you mean '{match}'?" if match else section.unknown_hint


def _fitting(homes: list[str], path: str) -> list[str]:
    """Return the homes that somebody means who writes a key at a path: a function's, or else a MapReduce's."""
    of_mapreduce = [home for home in homes if ".mapreduce" in home]
    if ".mapreduce." in path:
        return of_mapreduce or homes
    return [home for home in homes if home not in of_mapreduce] or homes


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


_CHECKS: dict[type, Callable[[Checker, Any, Node, str, bool], Any]] = {
    Section: Checker._section,
    Items: Checker._items,
    Table: Checker._table,
    **dict.fromkeys((Text, Whole, Flag, Choice), Checker._scalar),
    Anything: Checker._anything,
}
