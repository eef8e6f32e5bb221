"""Check, diff, create, read, update and delete of resources of any type, by its table."""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from scar_foundation.plugin.failures import IncompleteError, ProviderError
from scar_foundation.plugin.provider import Checked, Difference, Lifecycle, Naming, Package, Resource
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws import reading
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud, Configuration, read_configuration
from scar_pulumi.stand_ins.aws.documents import dig, place_in, places
from scar_pulumi.stand_ins.aws.inputs import DEFAULTS, automatic_name, baseline, check, difference, too_long
from scar_pulumi.stand_ins.aws.invokes import invoke
from scar_pulumi.stand_ins.aws.journal import Begun, Journal
from scar_pulumi.stand_ins.aws.model import Call, Property, ResourceType, fields_of, fill
from scar_pulumi.stand_ins.aws.operations import all_tags, ask, create_takes_tags, perform, tags_for_create, write_tags
from scar_pulumi.stand_ins.aws.reading import Live, fetch, identified, read
from scar_pulumi.stand_ins.aws.types import find

_DEFAULT_TIMEOUT = 300.0
# Clocks of this process and of the cloud are the same machine's; AWS rounds some times down to seconds.
_ROUNDING = 1.0


class AwsLifecycle(Lifecycle):
    """The resources of one cloud."""

    def __init__(self, configuration: Configuration) -> None:
        self._cloud = Cloud(configuration)
        self._journal = Journal()

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Return the result of a function such as `aws:index/getRegion:getRegion`."""
        return invoke(self._cloud, token, arguments)

    def check(self, resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
        """Check the inputs, put in defaults and a name, which stays the same for as long as the resource lives."""
        type_ = find(resource.type)
        checked = check(type_, news)
        rule = type_.name
        if rule is None or rule.property in checked.inputs or checked.failures:
            return checked
        name = self._kept_name(rule.property, resource, olds)
        if not name and naming.proposed == "":
            checked.failures.append((rule.property, "automatic names are turned off (pulumi:autonaming); give a name"))
        fresh = naming.proposed or automatic_name(rule, resource.name, checked.inputs, naming.seed)
        if not name and (reason := too_long(rule, fresh)):
            checked.failures.append((rule.property, reason))
        checked.inputs[rule.property] = name or fresh
        checked.inputs[DEFAULTS].append(rule.property)
        return checked

    def diff(self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare inputs. A resource whose name stays must go before its replacement comes."""
        type_ = find(resource.type)
        olds = identified(type_, resource.id, olds)
        self._journal.known(resource.urn, str(fill(type_.key, olds)))
        found = difference(type_, baseline(type_, olds, old_inputs), news)
        if type_.tags and not found.paths and all_tags(self._cloud, news.get("tags")) != olds.get("tagsAll"):
            found.paths["tagsAll"] = "update"
        found.outputs = frozenset({"tagsAll"})
        key = fields_of(type_.key)
        renamed = type_.name and type_.name.property in key and type_.name.property in news.get(DEFAULTS, [])
        found.delete_first = not renamed and all(news.get(name) == olds.get(name) for name in key)
        return found

    def foresee_create(self, resource: Resource, inputs: Properties) -> Properties:
        """Return the outputs of a create as far as a preview can tell."""
        return reading.foresee_create(self._cloud, find(resource.type), inputs)

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        """Create the resource; take over the one that an interrupted create of the same resource left."""
        self._cloud.check_account()
        type_, values = find(resource.type), self._values(inputs)
        mine = self._begin(type_, resource, inputs, values)
        timeout = timeout or _DEFAULT_TIMEOUT
        try:
            if type_.idempotent and mine and (live := self._left_by_interrupted_create(type_, values, mine)):
                return self._take_over(type_, live, inputs, timeout)
            return self._create(type_, values, inputs, timeout)
        except CallError as error:
            if error.taken and mine and (live := self._left_by_interrupted_create(type_, values, mine)):
                return self._take_over(type_, live, inputs, timeout)
            if mine is None:
                self._journal.forget(resource.urn)
            raise _with_import_hint(error, type_, resource, values) if error.taken else error from None

    def read(self, resource: Resource, state: Properties, inputs: Properties) -> Live | None:
        """Return the live resource, or None when it does not exist."""
        type_ = find(resource.type)
        live = read(self._cloud, type_, resource.id, state, inputs)
        if live:
            self._journal.known(resource.urn, str(fill(type_.key, live.outputs)))
        return live

    def foresee_update(
        self,
        resource: Resource,
        olds: Properties,
        old_inputs: Properties,  # noqa: ARG002 - inherited
        news: Properties,
    ) -> Properties:
        """Return the outputs of an update as far as a preview can tell."""
        type_ = find(resource.type)
        return reading.foresee_update(self._cloud, type_, news, identified(type_, resource.id, olds))

    def update(
        self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties, timeout: float
    ) -> Properties:
        """Change the resource in place."""
        self._cloud.check_account()
        type_ = find(resource.type)
        olds = identified(type_, resource.id, olds)
        self._journal.known(resource.urn, str(fill(type_.key, olds)))
        unchanged = not difference(type_, baseline(type_, olds, old_inputs), news).paths
        # The engine asks nevertheless: a create was incomplete, so what is really there decides.
        if unchanged and (live := read(self._cloud, type_, resource.id, olds, old_inputs)):
            olds, old_inputs = live.outputs, live.inputs
        return update(self._cloud, type_, olds, old_inputs or olds, news, timeout=timeout or _DEFAULT_TIMEOUT)

    def delete(self, resource: Resource, state: Properties, timeout: float) -> None:
        """Delete the resource; one that is gone already is fine."""
        if state.get("skipDestroy"):
            return
        self._cloud.check_account()
        type_ = find(resource.type)
        state = identified(type_, resource.id, state)
        values = self._values(state)
        try:
            if type_.before_delete:
                type_.before_delete(self._cloud, values)
            ask(self._cloud, type_, type_.delete, values)
            if type_.await_deletion:
                type_.await_deletion(self._cloud, values, timeout or _DEFAULT_TIMEOUT)
        except CallError as error:
            if not error.missing:
                raise
        self._journal.known(resource.urn, str(fill(type_.key, state)))

    def conceal(self, outputs: Properties, marked: Properties) -> Properties:
        """Conceal what is secret in `marked`; in `tagsAll`, what is secret in the program's tags."""
        return super().conceal(outputs, {**marked, "tagsAll": marked.get("tagsAll") or marked.get("tags")})

    def _values(self, properties: Mapping[str, Any]) -> Properties:
        return {**reading.facts(self._cloud, properties.get("region")), **properties}

    def _kept_name(self, property_: str, resource: Resource, olds: Properties) -> str | None:
        """Return the automatic name that the resource has, or that an interrupted create chose for it."""
        automatic = DEFAULTS not in olds or property_ in olds[DEFAULTS]
        name = olds.get(property_) if automatic else None
        if name is None and not olds and (begun := self._journal.begun(resource.urn)):
            name = begun.names.get(property_)
        return name

    def _begin(self, type_: ResourceType, resource: Resource, inputs: Properties, values: Properties) -> Begun | None:
        """Note the create; return the note of an earlier attempt at this very resource."""
        key = str(fill(type_.key, values))
        begun = self._journal.begun(resource.urn)
        if begun and begun.key == key:
            return begun
        self._refuse_existing(type_, resource, values)
        chosen = type_.name.property if type_.name else ""
        names = {chosen: inputs[chosen]} if chosen in inputs.get(DEFAULTS, []) else {}
        self._journal.begin(resource.urn, key, names)
        return None

    def _create(
        self, type_: ResourceType, values: Properties, inputs: Properties, timeout: float
    ) -> tuple[str, Properties]:
        members = self._cloud.members(type_.service, type_.create.operation)
        wanted_tags = all_tags(self._cloud, inputs.get("tags"))
        document = perform(self._cloud, type_, type_.create, values, tags_for_create(type_, wanted_tags, members))
        foreseen = reading.compose(self._cloud, type_, inputs, document, {})
        id_ = str(fill(type_.identity, foreseen))
        known = {**values, **foreseen}
        try:
            if type_.await_change:
                document = type_.await_change(self._cloud, known, timeout) or document
            set_by_itself = {s.property for s in type_.settings if not place_in(type_, s.property, members)}
            apply_settings(self._cloud, type_, set_by_itself & inputs.keys(), known, fresh=True)
            if not create_takes_tags(type_, members):
                write_tags(self._cloud, type_, {}, wanted_tags, known)
        except ProviderError as error:
            raise IncompleteError(str(error), id_, foreseen) from None
        return id_, reading.compose(self._cloud, type_, inputs, document, foreseen)

    def _refuse_existing(self, type_: ResourceType, resource: Resource, values: Properties) -> None:
        """Look before the journal has a note: with one, a resource of somebody else's would pass for ours."""
        if type_.idempotent and fetch(self._cloud, type_, values) is not None:
            error = CallError(f"{fill(type_.key, values)} exists already", "AlreadyExists")
            raise _with_import_hint(error, type_, resource, values)

    def _take_over(self, type_: ResourceType, live: Live, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        return live.id, update(self._cloud, type_, live.outputs, live.inputs, inputs, timeout=timeout)

    def _left_by_interrupted_create(self, type_: ResourceType, values: Properties, begun: Begun) -> Live | None:
        """Return the resource that the interrupted create made; one that is older is somebody else's."""
        id_ = str(fill(type_.lookup or type_.identity, values))
        live = read(self._cloud, type_, id_, values, {})
        if live is None or type_.created is None:
            return live
        created = _seconds(dig(live.document, type_.created))
        return live if created is None or created >= begun.time - _ROUNDING else None


def _schema(version: str) -> dict[str, Any]:
    from scar_pulumi.stand_ins.aws.schema import schema  # noqa: PLC0415 - seldom needed

    return schema(version)


PACKAGE = Package("aws", read_configuration, AwsLifecycle, _schema)


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str) and not value.isdigit():
        return datetime.fromisoformat(value.replace("Z", "+00:00").replace("+0000", "+00:00")).timestamp()
    return None if value is None else float(value) / (1000 if float(value) > 1e11 else 1)


def _with_import_hint(error: CallError, type_: ResourceType, resource: Resource, values: Properties) -> CallError:
    return CallError(f"{error}; {_way_out(type_, resource, values)}", error.code, error.status)


def _way_out(type_: ResourceType, resource: Resource, values: Properties) -> str:
    id_ = fill(type_.lookup or type_.identity, values)
    if component := resource.component:
        # `pulumi import` makes a resource of the stack's own, which the component would then make a second time.
        return f"{component} cannot take it over: delete it if nobody needs it, or choose another name"
    return f"to manage it from here run: pulumi import {type_.token} {resource.name} {id_!r}, or choose another name"


def update(
    cloud: Cloud, type_: ResourceType, olds: Properties, old_inputs: Properties, news: Properties, *, timeout: float
) -> Properties:
    """Bring the live resource from its old inputs to the new ones; returns the outputs."""
    changed = difference(type_, baseline(type_, olds, old_inputs), news).changed
    values = {**reading.facts(cloud, olds.get("region")), **_identity(type_, olds), **_cleared(type_, changed, news)}
    values |= {name: value for name, value in news.items() if value is not None and _may_send(type_, name)}
    document: Properties = {}
    for operation in _operations_for(cloud, type_, changed):
        document = perform(cloud, type_, Call(operation, type_.create.result), values)
        if type_.await_change:
            document = type_.await_change(cloud, values, timeout) or document
    settings = {setting.property for setting in type_.settings} & changed
    apply_settings(cloud, type_, settings, {**values, **{name: news.get(name) for name in settings}}, fresh=False)
    if type_.tags:
        write_tags(cloud, type_, olds.get("tagsAll") or {}, all_tags(cloud, news.get("tags")), {**olds, **values})
    return reading.compose(cloud, type_, news, document, olds)


def apply_settings(
    cloud: Cloud, type_: ResourceType, names: Set[str], values: Mapping[str, Any], *, fresh: bool
) -> None:
    """Put or clear the named settings; on a fresh resource there is nothing to clear."""
    for setting in type_.settings:
        value = values.get(setting.property)
        if setting.property not in names or (fresh and value in (None, setting.unset, {}, [])):
            continue
        unset = value in (None, setting.unset, {}, [])
        if setting.clear_first and not fresh:
            setting.clear_first(cloud, dict(values))
            if unset:
                continue
        try:
            perform(cloud, type_, Call(setting.clear if unset and setting.clear else setting.put), values)
        except CallError as error:
            if not (unset and error.missing):
                raise


def _operations_for(cloud: Cloud, type_: ResourceType, changed: Set[str]) -> list[str]:
    if type_.rewrite:
        return [type_.create.operation] if changed - {"tags"} else []
    return [
        operation
        for operation in type_.updates
        if any(place_in(type_, name, cloud.members(type_.service, operation)) for name in changed)
    ]


def _may_send(type_: ResourceType, name: str) -> bool:
    """Return whether an update may name a property: one that forces a replacement only says which resource is meant."""
    property_ = type_.properties.get(name)
    return property_ is None or not property_.replace or name in type_.keys or name == "region" or type_.rewrite


def _identity(type_: ResourceType, olds: Mapping[str, Any]) -> Properties:
    return {name: olds[name] for name, property_ in type_.properties.items() if property_.output and name in olds}


def _cleared(type_: ResourceType, changed: Set[str], news: Mapping[str, Any]) -> Properties:
    """Return empty values for removed properties: AWS's operations keep whatever they are not told."""
    gone = [name for name in changed if name in type_.properties and news.get(name) is None]
    return {name: _empty_value(type_, name, type_.properties[name]) for name in gone}


def _empty_value(type_: ResourceType, name: str, property_: Property) -> Any:
    if property_.kind == "object":
        in_list = any(step.isdigit() for place in places(type_, name, property_) for step in place.split("."))
        inner = {key: _EMPTY[field.kind] for key, field in property_.fields.items() if field.kind in _EMPTY}
        return {} if in_list else inner
    return _EMPTY.get(property_.kind)


_EMPTY: dict[str, Any] = {"string": "", "json": "", "list": [], "map": {}}
