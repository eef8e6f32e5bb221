"""The RPC frame that all plugins of ours share, around a lifecycle that only remembers what it was asked."""

from typing import Any, NoReturn

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from scar_foundation.plugin.failures import IncompleteError, UnservedError
from scar_foundation.plugin.provider import (
    Checked,
    Difference,
    Found,
    Lifecycle,
    Naming,
    Package,
    Provider,
    Resource,
)
from scar_foundation.plugin.values import UNKNOWN, Properties, as_secret, from_struct, to_struct

TOKEN = "things:index:Thing"
URN = f"urn:pulumi:local::project::{TOKEN}::one::two"
KNOWN: dict[str, Any] = {"urn": URN, "type": TOKEN}


class RefusedError(Exception):
    """What `abort` raises in gRPC."""


class Context:
    """A call's context: the status that it ended with."""

    def __init__(self) -> None:
        self.code: Any = None
        self.message = ""
        self.metadata: tuple[tuple[str, bytes], ...] = ()

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.metadata = metadata

    def abort(self, code: Any, message: str) -> NoReturn:
        self.code, self.message = code, message
        raise RefusedError(message)


class Things(Lifecycle):
    """Things whose outputs are their inputs; a thing called `broken` is made, but not whole."""

    def __init__(self, settings: Properties) -> None:
        self.settings = settings
        self.asked: list[tuple[object, ...]] = []

    def invoke(self, token: str, arguments: Properties) -> Properties:
        raise UnservedError(f"{token}: is not served with {arguments['word']}")

    def check(self, resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
        self.asked.append(("check", resource, olds, naming))
        return Checked({"name": naming.proposed or resource.name, **news}, [("size", "is too large")])

    def diff(self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties) -> Difference:
        paths = {name: "update" for name in news if old_inputs.get(name) != news[name]}
        return Difference(paths, ("name",), delete_first=True, outputs=frozenset({"mark"}))

    def foresee_create(self, resource: Resource, inputs: Properties) -> Properties:
        return {**inputs, "mark": UNKNOWN}

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        self.asked.append(("create", inputs, timeout))
        if inputs["name"] == "broken":
            raise IncompleteError(f"no room for {inputs['word']}", "broken", inputs)
        return str(inputs["name"]), inputs

    def read(self, resource: Resource, state: Properties, inputs: Properties) -> Found | None:
        return Found(resource.id, {**state, "mark": 1}, inputs) if resource.id != "gone" else None

    def foresee_update(
        self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties
    ) -> Properties:
        return {**olds, **news}

    def update(
        self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties, timeout: float
    ) -> Properties:
        self.asked.append(("update", olds, old_inputs, news, timeout))
        return {**olds, **news}

    def delete(self, resource: Resource, state: Properties, timeout: float) -> None:
        self.asked.append(("delete", resource.id, state, timeout))


def read_settings(settings: Properties) -> Properties:
    if settings.get("endpoint") == "far away":
        raise UnservedError("endpoint far away: is not on this machine")
    return settings


def package() -> tuple[Package[Properties], list[Things]]:
    made: list[Things] = []

    def lifecycle(settings: Properties) -> Things:
        made.append(Things(settings))
        return made[-1]

    return Package("things", read_settings, lifecycle, lambda version: {"name": "things", "version": version}), made


@pytest.fixture
def things() -> tuple[Provider, Things]:
    """Give a configured provider and its lifecycle."""
    described, made = package()
    provider = Provider(described)
    settings = to_struct({"endpoint": "near", "token": as_secret("hush-hush")})
    provider.Configure(provider_pb2.ConfigureRequest(args=settings), Context())
    return provider, made[0]


def test_settings_are_plain_and_refused_while_they_are_checked(things: tuple[Provider, Things]) -> None:
    assert things[1].settings == {"endpoint": "near", "token": "hush-hush"}
    context = Context()
    far = provider_pb2.CheckRequest(news=to_struct({"endpoint": "far away"}))
    with pytest.raises(RefusedError):
        things[0].CheckConfig(far, context)
    assert (context.code, context.message) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "endpoint far away: is not on this machine",
    )
    unknown = provider_pb2.CheckRequest(news=to_struct({"endpoint": UNKNOWN}))
    assert things[0].CheckConfig(unknown, Context()).inputs == unknown.news


def test_nothing_is_done_before_the_settings_are_known() -> None:
    with pytest.raises(RefusedError, match="called the things provider before configuring it"):
        Provider(package()[0]).Create(provider_pb2.CreateRequest(**KNOWN), Context())


@pytest.mark.parametrize(
    ("types", "component"),
    [(TOKEN, ""), (f"pulumi:pulumi:Stack${TOKEN}", ""), (f"a:index:Outer$a:index:Inner${TOKEN}", "Inner")],
)
def test_a_resource_knows_the_component_that_it_is_a_part_of(types: str, component: str) -> None:
    assert Resource(TOKEN, f"urn:pulumi:local::project::{types}::name::with$dollars").component == component


def test_a_check_keeps_secrets_and_names_what_is_wrong(things: tuple[Provider, Things]) -> None:
    request = provider_pb2.CheckRequest(
        **KNOWN, news=to_struct({"word": as_secret("hush-hush")}), olds=to_struct({"name": "old"}), randomSeed=b"1"
    )
    answer = things[0].Check(request, Context())
    assert from_struct(answer.inputs) == {"name": "one::two", "word": as_secret("hush-hush")}
    assert [(failure.property, failure.reason) for failure in answer.failures] == [("size", "is too large")]
    assert things[1].asked == [("check", Resource(TOKEN, URN), {"name": "old"}, Naming(b"1", None))]


@pytest.mark.parametrize(("mode", "proposed"), [(1, "given"), (2, "")])
def test_an_engine_says_how_things_are_named(things: tuple[Provider, Things], mode: int, proposed: str) -> None:
    autonaming = provider_pb2.CheckRequest.AutonamingOptions(proposed_name=proposed, mode=mode)  # type: ignore[arg-type]
    # An engine before 3.136 sends no type.
    things[0].Check(
        provider_pb2.CheckRequest(urn=URN.replace("::things", "::a:b:C$things"), autonaming=autonaming), Context()
    )
    (_, resource, _, naming) = things[1].asked[0]
    assert isinstance(resource, Resource)
    assert (resource.type, naming) == (TOKEN, Naming(b"", proposed))


def test_a_difference_says_what_replaces_and_leaves_out_what_is_ignored(things: tuple[Provider, Things]) -> None:
    news = to_struct({"name": "b", "size": 2, "mark": 2, "word": "same", "tags": 1})
    olds = to_struct({"name": "a", "size": 1, "mark": 1, "word": "same", "tags": 0})
    request = provider_pb2.DiffRequest(**KNOWN, old_inputs=olds, news=news, ignoreChanges=["tags"])
    answer = things[0].Diff(request, Context())
    assert (list(answer.replaces), list(answer.diffs)) == (["name"], ["mark", "name", "size"])
    assert answer.deleteBeforeReplace
    kinds = {path: (change.kind, change.inputDiff) for path, change in answer.detailedDiff.items()}
    update, replace = provider_pb2.PropertyDiff.UPDATE, provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert kinds == {"name": (replace, True), "size": (update, True), "mark": (update, False)}
    ignored = provider_pb2.DiffRequest(**KNOWN, old_inputs=olds, news=news, ignoreChanges=["name"])
    assert not things[0].Diff(ignored, Context()).deleteBeforeReplace


def test_secrets_stay_secret_in_whatever_comes_back(things: tuple[Provider, Things]) -> None:
    provider, secret = things[0], as_secret("hush-hush")
    inputs = to_struct({"name": "thing", "word": secret})
    foreseen = provider.Create(provider_pb2.CreateRequest(**KNOWN, properties=inputs, preview=True), Context())
    assert (foreseen.id, from_struct(foreseen.properties)) == (
        "",
        {"name": "thing", "word": secret, "mark": UNKNOWN},
    )
    created = provider.Create(provider_pb2.CreateRequest(**KNOWN, properties=inputs, timeout=5), Context())
    assert (created.id, from_struct(created.properties)) == ("thing", {"name": "thing", "word": secret})
    assert things[1].asked == [("create", {"name": "thing", "word": "hush-hush"}, 5)]
    read = provider.Read(provider_pb2.ReadRequest(**KNOWN, id="thing", properties=inputs, inputs=inputs), Context())
    assert from_struct(read.properties) == {"name": "thing", "word": secret, "mark": 1}
    assert from_struct(read.inputs) == {"name": "thing", "word": secret}
    assert provider.Read(provider_pb2.ReadRequest(**KNOWN, id="gone"), Context()).id == ""
    updated = provider.Update(provider_pb2.UpdateRequest(**KNOWN, olds=inputs, news=inputs), Context())
    assert from_struct(updated.properties) == {"name": "thing", "word": secret}


def test_a_failure_is_one_sentence_without_secrets_and_says_what_exists(things: tuple[Provider, Things]) -> None:
    context = Context()
    inputs = to_struct({"name": "broken", "word": as_secret("hush-hush")})
    with pytest.raises(RefusedError):
        things[0].Create(provider_pb2.CreateRequest(**KNOWN, properties=inputs), context)
    assert (context.code, context.message) == (grpc.StatusCode.UNKNOWN, "no room for [secret]")
    assert [name for name, _ in context.metadata] == ["grpc-status-details-bin"]
    assert b"broken" in context.metadata[0][1]
    word = to_struct({"word": as_secret("hush-hush")})
    with pytest.raises(RefusedError, match=r"things:index:find: is not served with \[secret\]"):
        things[0].Invoke(provider_pb2.InvokeRequest(tok="things:index:find", args=word), Context())
    with pytest.raises(
        RefusedError, match=r"failed in test_plugin_frame\.py:\d+: KeyError: 'name'; please report this"
    ):
        things[0].Create(provider_pb2.CreateRequest(**KNOWN), Context())
