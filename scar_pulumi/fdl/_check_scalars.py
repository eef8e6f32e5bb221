"""Checks of single values: text, whole numbers, true/false, one of a few."""

import re

from scar_pulumi.fdl._kinds import Choice, Rule, Text, Whole
from scar_pulumi.fdl._nodes import ScalarNode, kind_word
from scar_pulumi.fdl._references import FORMS, Reference, bad_reference, has_reference, split_references
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl._values import INVALID, Missing
from scar_pulumi.fdl._words import quoted, shorten
from scar_pulumi.fdl.problems import Mark, Report

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_INTEGRAL = re.compile(r"[-+]?0*([0-9]{1,18})(?:\.0*)?")
# YAML 1.1's words, which people and SCAR's files use, besides YAML 1.2's.
TRUE_WORDS = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"))
FALSE_WORDS = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"))
# Neither a process nor a JSON document can be given these.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class Scalars:
    """Checks single values and reports what is wrong with them.

    Attributes:
        references: Every reference that was read, and the path of its value.
    """

    def __init__(self, report: Report) -> None:
        self.references: list[tuple[str, Reference]] = []
        self._report = report

    def text(self, kind: Text, node: ScalarNode, path: str, *, secret: bool) -> str | Missing:
        """The text of a node."""
        if node.kind != "text" and node.typed and not kind.loose:
            hint = f'write "{node.text}"' if node.kind != "null" and not secret else None
            shown = "" if node.kind == "null" or secret else f"{shorten(node.text)} "
            self._report.error(node.mark, path, f"{shown}is {kind_word(node)}, not {kind.what}", hint)
            return INVALID
        value = "" if node.kind == "null" else node.text
        return value if self.text_fits(kind, value, node.mark, path, secret=secret) else INVALID

    def text_fits(self, kind: Text, value: str, mark: Mark, path: str, *, secret: bool = False) -> bool:
        """Whether a text keeps a kind's rules; the first one broken is reported."""
        if kind.optional and not value:
            return True
        if has_reference(value):
            return self._reference_fits(value, mark, path, secret=secret)
        shown = "the value" if secret else quoted(value)
        if kind.longest is not None and len(value) > kind.longest:
            message = f"{shown} has {len(value)} characters, {kind.longest} are allowed for {kind.what}"
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
            message = f"{quoted(value)} holds a reference, which only credentials and variables can"
            self._report.error(mark, path, message, "give the value")
            return False
        if bad_reference(value):
            self._report.error(mark, path, "holds a reference that cannot be read", f"write {FORMS}")
            return False
        self.references += [(path, part) for part in split_references(value) if isinstance(part, Reference)]
        return True

    def whole(self, kind: Whole, node: ScalarNode, path: str) -> int | Missing:
        """The number of a node."""
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

    def flag(self, node: ScalarNode, path: str) -> bool | Missing:
        """The truth of a node."""
        if node.text in TRUE_WORDS | FALSE_WORDS and not (
            node.typed and node.kind == "text" and node.text.lower() in _QUOTED
        ):
            return node.text in TRUE_WORDS
        hint = (
            f"write {node.text.lower()} without quotes"
            if node.text in TRUE_WORDS | FALSE_WORDS
            else "write true or false"
        )
        self._report.error(node.mark, path, f"{quoted(node.text)} is {kind_word(node)}, not true or false", hint)
        return INVALID

    def choice(self, kind: Choice, node: ScalarNode, path: str) -> str | int | Missing:
        """The chosen value."""
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


_QUOTED = frozenset(("true", "false"))


def _keeps(rule: Rule, value: str) -> bool:
    if rule.forbid:
        return re.search(rule.pattern, value) is None
    return re.fullmatch(rule.pattern, value) is not None


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
        return (
            f"{shown} is not a whole number",
            f"write the bare number without a unit, not '{text[len(unit[1]) :].strip()}'",
        )
    return f"{shown} is not a whole number", "write decimal digits only"


def _listed(values: tuple[str | int, ...]) -> str:
    return ", ".join(str(value) for value in values)
