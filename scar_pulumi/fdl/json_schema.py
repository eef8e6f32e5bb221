"""The language as a JSON Schema (2020-12) for editors, made of the tables that the checker reads.

It accepts the same single values as the checker. Only the checker knows the rules between values.
"""

from collections.abc import Callable
from typing import Any

from scar_pulumi.fdl.checker import FALSE_WORDS, TRUE_WORDS
from scar_pulumi.fdl.format_2019 import FUNCTION_2019
from scar_pulumi.fdl.kinds import Anything, Choice, Flag, Items, Key, Kind, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.tables import DOCUMENT, FUNCTIONS

_Schema = dict[str, Any]

# References, where they are possible and where they are not.
_REFERENCE = r"(?:^|[^$])\$\{(?:env|config|ssm):"
_NOTHING: _Schema = {"type": "null"}
_FLAG: _Schema = {"anyOf": [{"type": "boolean"}, {"enum": sorted((TRUE_WORDS | FALSE_WORDS) - {"true", "false"})}]}


def json_schema() -> _Schema:
    """Return the schema as a document."""
    schema = _of(DOCUMENT, secret=False)
    functions = schema["properties"]["functions"]
    today = {key: functions.pop(key) for key in list(functions) if key not in ("description", "markdownDescription")}
    known = [{"required": [name]} for name in FUNCTIONS.keys]
    # Told apart by their keys, so that an editor shows messages about one format only.
    functions |= {"type": "object", "if": {"anyOf": known}, "then": today, "else": _format_2019()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "FDL, the language of container functions on files",
        **schema,
    }


def _format_2019() -> _Schema:
    function = _of(FUNCTION_2019, secret=False)
    function["additionalProperties"] = True
    return {
        "description": "Functions in SCAR's format of 2019, by name; `scar-pulumi fdl convert` makes today's of it.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": function,
    }


def _of(kind: Kind, *, secret: bool) -> _Schema:
    return _MAKERS[type(kind)](kind, secret=secret)


def _section(kind: Section, *, secret: bool) -> _Schema:
    schema: _Schema = {"type": "object", "properties": {}}
    for name, key in kind.keys.items():
        for alias in (name, *key.aliases):
            schema["properties"][alias] = _key(key, secret=secret)
    if kind.open_for is None:
        schema["additionalProperties"] = False
    if kind.free is not None:
        schema["patternProperties"] = {f"^{kind.free}": {}}
    if required := [name for name, key in kind.keys.items() if key.required]:
        schema["required"] = required
    if conditions := _presence(kind):
        schema["allOf"] = conditions
    if kind.shorthand is None:
        return schema
    return {"anyOf": [schema, _of(kind.keys[kind.shorthand].kind, secret=secret)]}


def _presence(kind: Section) -> list[_Schema]:
    conditions: list[_Schema] = []
    if kind.exactly_one:
        conditions.append({"oneOf": [_given(name) for name in kind.exactly_one]})
    if kind.at_least_one:
        conditions.append({"anyOf": [_given(name) for name in kind.at_least_one]})
    if kind.together:
        some = {"anyOf": [_given(name) for name in kind.together]}
        conditions.append({"if": some, "then": {"allOf": [_given(name) for name in kind.together]}})
    return conditions


def _given(name: str) -> _Schema:
    """Return the condition that a key is given; a key without a value is not."""
    return {"required": [name], "properties": {name: {"not": _NOTHING}}}


def _key(key: Key, *, secret: bool) -> _Schema:
    about: _Schema = {"description": key.doc}
    if key.link is not None:
        about["markdownDescription"] = f"{key.doc}\n\n[AWS]({key.link})"
    if key.note is not None:
        return {**about, "description": f"{key.doc} Has no effect: {key.note}.", "deprecated": True}
    if key.default is not None:
        about["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    value = _of(key.kind, secret=secret or key.secret)
    return {**about, **(value if key.required or not value else _or_nothing(value))}


def _or_nothing(value: _Schema) -> _Schema:
    if set(value) == {"type"} and isinstance(value["type"], str):
        return {"type": [value["type"], "null"]}
    return {"anyOf": [value, _NOTHING]}


def _table(kind: Table, *, secret: bool) -> _Schema:
    names = _rules(kind.names)
    if kind.reserved:
        reserved = "|".join(f"{name[:-1]}.*" if name.endswith("*") else name for name in sorted(kind.reserved))
        names.append({"not": {"pattern": f"^(?:{reserved})$"}})
    schema: _Schema = {"type": "object", "additionalProperties": _of(kind.of, secret=secret)}
    if names:
        schema["propertyNames"] = {"allOf": names}
    if kind.most is not None:
        schema["maxProperties"] = kind.most
    return schema


def _items(kind: Items, *, secret: bool) -> _Schema:
    one = _of(kind.of, secret=secret)
    schema: _Schema = {"type": "array", "items": one}
    if kind.least:
        schema["minItems"] = kind.least
    if kind.most is not None:
        schema["maxItems"] = kind.most
    return {"anyOf": [schema, one]} if kind.single else schema


def _text(kind: Text, *, secret: bool) -> _Schema:
    text: _Schema = {"type": "string"}
    rules = _rules(kind)
    reference: _Schema = {"pattern": _REFERENCE}
    if rules:
        text["anyOf"] = [{"maxLength": 0}] if kind.optional else []
        text["anyOf"].append({"allOf": rules})
        text["anyOf"] += [reference] if secret else []
        if len(text["anyOf"]) == 1:
            del text["anyOf"]
            text["allOf"] = rules
    if not secret:
        text["not"] = reference
    forms: list[_Schema] = [text]
    if kind.loose:
        # Values without quotes, which are checked as they are written.
        forms.append({"type": ["number", "boolean", "null"]})
    if kind.bracketed:
        forms.append(
            {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1, "maxItems": 1}
        )
    return text if len(forms) == 1 else {"anyOf": forms}


def _rules(kind: Text) -> list[_Schema]:
    longest: list[_Schema] = [{"maxLength": kind.longest}] if kind.longest is not None else []
    return [*longest, *(_rule(rule) for rule in kind.rules)]


def _rule(rule: Rule) -> _Schema:
    if rule.forbid:
        return {"not": {"pattern": rule.pattern}}
    return {"pattern": f"^(?:{rule.pattern})$"}


def _choice(kind: Choice, *, secret: bool) -> _Schema:  # noqa: ARG001 - one shape for all
    listed: _Schema = {"enum": list(kind.values)}
    if not kind.fold:
        return listed
    either = "|".join("".join(_either(letter) for letter in str(value)) for value in kind.values)
    return {"anyOf": [listed, {"type": "string", "pattern": f"^(?:{either})$"}]}


def _either(letter: str) -> str:
    return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter


def _whole(kind: Whole, *, secret: bool) -> _Schema:  # noqa: ARG001 - one shape for all
    whole = {"type": "integer", "minimum": kind.minimum, "maximum": kind.maximum}
    return {"anyOf": [whole, {"enum": list(kind.besides)}]} if kind.besides else whole


_MAKERS: dict[type, Callable[..., _Schema]] = {
    Section: _section,
    Table: _table,
    Items: _items,
    Text: _text,
    Whole: _whole,
    Choice: _choice,
    Flag: lambda _kind, **_: dict(_FLAG),
    Anything: lambda _kind, **_: {},
}
