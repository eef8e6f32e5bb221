"""The words in which a resource type is described; `types/` holds the descriptions."""

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from scar_foundation.limits import Range
from scar_foundation.plugin.values import UNKNOWN, Properties, has_unknown
from scar_pulumi.stand_ins.aws.forms import Form

if TYPE_CHECKING:
    from scar_pulumi.stand_ins.aws.cloud import Cloud

_FIELD = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\]|]*)(?:\|([^\]]*))?\]")
"""A part that may be left out, and the value of its property with which it is."""


def fields_of(pattern: str) -> list[str]:
    """Return the properties that a pattern names."""
    return _FIELD.findall(pattern)


def fill(pattern: str, values: Mapping[str, Any]) -> Any:
    """Return the pattern with its properties filled in; `UNKNOWN` when one of them is.

    A pattern that is nothing but one property gives the property's value as it is.
    """
    if whole := _FIELD.fullmatch(pattern):
        return values.get(whole[1])
    pattern = _OPTIONAL.sub(
        lambda part: part[1] if all(values.get(name) not in (None, "", part[2]) for name in fields_of(part[1])) else "",
        pattern,
    )
    if any(values.get(name) is None or has_unknown(values[name]) for name in fields_of(pattern)):
        return UNKNOWN
    return _FIELD.sub(lambda name: str(values[name[1]]), pattern)


def parse(pattern: str, text: str) -> dict[str, str] | None:
    """Return the properties in a text made by `fill`, or None when it does not match."""
    plain = re.escape(_OPTIONAL.sub(r"[\1]", pattern))
    expression = plain.replace(r"\{", "{").replace(r"\}", "}").replace(r"\[", "(?:").replace(r"\]", ")?")
    expression = re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", expression)
    found = re.fullmatch(expression, text, re.DOTALL)
    return {name: value for name, value in found.groupdict().items() if value is not None} if found else None


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """Apply `fill` to every text in a structure."""
    if isinstance(value, Mapping):
        return {name: substitute(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    return fill(value, values) if isinstance(value, str) else value


Kind = Literal["string", "integer", "number", "boolean", "json", "list", "map", "object", "asset"]


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a type, or one field of an object.

    `at` says where AWS's documents have it ("Attributes.DelaySeconds"; a number is a place in a list). Several places
    are tried in order. By default it is the property's own name, in the case that the service uses.
    """

    kind: Kind
    at: tuple[str, ...] = ()
    required: bool = False
    replace: bool = False
    """A change replaces the resource. In an object, a change of this field does."""
    computed: bool = False
    """AWS chooses a value when none is given, so leaving it out is no change."""
    output: bool = False
    local: bool = False
    """Kept in the engine's state only: neither sent to AWS nor read from it."""
    unread: bool = False
    """Sent to AWS, which does not return it."""
    default: Any = None
    template: str | None = None
    """How an output follows from other properties, so that previews show it: "arn:{partition}:s3:::{bucket}"."""
    volatile: str | None = None
    """An output that every update may change ("always"), or only one made while the named input is true."""
    fields: Mapping[str, "Property"] = field(default_factory=dict)
    unordered: bool = False
    wrapped: bool = False
    """A list of at most one object in Pulumi, an object in AWS."""
    many: bool = False
    """A list of objects."""
    words: tuple[str, str] | None = None
    """AWS's words for false and true."""
    text: bool = False
    """AWS takes and returns it as text."""
    spelled: bool = False
    """A boolean of AWS that programs have as text, "true" or "false"."""
    part: str | None = None
    """A regular expression whose group is the value in what AWS returns."""
    one_of: tuple[Any, ...] = ()
    any_case: bool = False
    """Words are taken in any case; AWS gets and returns those of `one_of`."""
    between: Range | None = None
    length: Range | None = None
    """How many characters a text has."""
    form: Form | None = None


def _property(kind: Kind, at: str | tuple[str, ...] = (), /, **details: Any) -> Property:
    return Property(kind=kind, at=(at,) if isinstance(at, str) else at, **details)


string = partial(_property, "string")
integer = partial(_property, "integer")
number = partial(_property, "number")
boolean = partial(_property, "boolean")
json_text = partial(_property, "json")
strings = partial(_property, "list")
mapping = partial(_property, "map")
output = partial(_property, "string", output=True)


def nested(fields: Mapping[str, Property], at: str | tuple[str, ...] = (), **details: Any) -> Property:
    """Describe an object with properties of its own, whose `at` start from the object."""
    return _property("object", at, fields=fields, **details)


@dataclass(frozen=True)
class AutoName:
    """The property that gets `<resource name>-<7 hex digits>` when the program gives none."""

    property: str
    limit: int
    lower: bool = False
    prefix: str | None = None
    """The property that replaces the resource's name in it."""
    bare: bool = False
    """Use the resource's name as it is, without digits."""
    suffix: tuple[str, str] | None = None
    """A boolean property, and the ending that names have when it is true."""


@dataclass(frozen=True)
class Call:
    """One operation. Its parameters are the properties that its input shape has, and `extra`, made of patterns."""

    operation: str
    result: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    where: tuple[str, str] | None = None
    """(field, pattern): pick the result whose field equals the pattern, where the result is a list."""


@dataclass(frozen=True)
class Setting:
    """A property with an operation of its own, which is called after creation and when the property changes."""

    property: str
    put: str
    clear: str | None = None
    get: Call | None = None
    unset: Any = None
    """The value that means "not set"."""
    clear_first: "Callable[[Cloud, Properties], None] | None" = None
    """(cloud, properties): take away the value so far, where AWS does not put another in its place."""


@dataclass(frozen=True)
class Tags:
    """How a resource's tags are read and written."""

    by: Mapping[str, Any]
    get: str
    add: str
    remove: str | None
    at: str = "Tags"
    pairs: tuple[str, str] | None = None
    """The names of key and value where tags are a list; None where they are a map."""


_FACTS = frozenset({"account", "partition"})
"""What ARNs name besides properties."""


@dataclass(frozen=True)
class ResourceType:
    """A resource type: what the program sees, and the calls behind it."""

    token: str
    _: KW_ONLY
    service: str
    documentation: str
    properties: Mapping[str, Property]
    identity: str
    """The id as a pattern of properties; a part in "[...]" is left out when its property is not set, or has the value
    behind a bar: "[{eventBusName}/|default]{name}"."""
    create: Call
    read: Call
    delete: Call
    updates: tuple[str, ...] = ()
    """Operations that change it; each is called when one of its parameters has changed."""
    rewrite: bool = False
    """Every change calls `create` again, which writes the whole resource."""
    settings: tuple[Setting, ...] = ()
    tags: Tags | None = None
    name: AutoName | None = None
    lookup: str | None = None
    """The id that `pulumi import` takes, where it differs."""
    unique: str | None = None
    """What tells two resources of the type apart, where AWS makes the ids above."""
    camel: bool = False
    """AWS's documents use camelCase for this service, else PascalCase."""
    regional: bool = True
    created: str | None = None
    """Where the document has the time of creation."""
    idempotent: bool = False
    """`create` also succeeds on a resource that exists and would take it over: look for it first."""
    amend_request: "Callable[[str, Properties, Properties], Properties] | None" = None
    """(operation, parameters, properties) -> parameters, for what the table cannot express."""
    to_document: "Callable[[Cloud, Properties, Properties], Properties | None] | None" = None
    """(cloud, result of `read`, properties) -> document; None when the resource does not exist."""
    await_change: "Callable[[Cloud, Properties, float], Properties] | None" = None
    """(cloud, properties, seconds) -> document, once a create or update is in effect."""
    before_delete: "Callable[[Cloud, Properties], None] | None" = None
    """(cloud, properties): remove what would keep the resource from being deleted."""
    await_deletion: "Callable[[Cloud, Properties, float], None] | None" = None
    """(cloud, properties, seconds): wait until a deleted resource is gone, where that takes longer than the call."""
    replacing: "Callable[[Mapping[str, Any], Mapping[str, Any]], frozenset[str]] | None" = None
    """(old inputs, new inputs) -> further properties whose change replaces the resource."""

    @cached_property
    def keys(self) -> frozenset[str]:
        """The properties that name the resource."""
        return frozenset(fields_of(f"{self.identity}{self.key}{self.lookup or ''}")) - _FACTS

    @property
    def key(self) -> str:
        """The pattern that tells two resources of this type apart."""
        return self.unique or self.lookup or self.identity
