"""The tables against the genuine provider's own schemas and validation.

A departure is mended in the table, or named below with its reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scar_foundation.limits import UNLIMITED
from scar_pulumi.stand_ins.aws.inputs import check
from scar_pulumi.stand_ins.aws.model import Property, ResourceType
from scar_pulumi.stand_ins.aws.types import TYPES
from tests.stand_ins.genuine.schemas import TEXTS, Attribute, recorded, spellings, terraform_name

GENUINE = recorded()
COMMON = ("region", "tags", "tagsAll")
"""What the genuine provider adds to its types outside their schemas."""
RENAMED = {
    ("aws:lambda/function:Function", "name"): "function_name",
    ("aws:lambda/permission:Permission", "function"): "function_name",
    ("aws:sns/topicSubscription:TopicSubscription", "topic"): "topic_arn",
}
"""Names that the genuine Pulumi provider gives to attributes of Terraform."""
SERVED_AS_OUTPUTS = {
    ("aws:ec2/launchTemplate:LaunchTemplate", "defaultVersion"),
    ("aws:lambda/function:Function", "codeSha256"),
    ("aws:ssm/parameter:Parameter", "arn"),
}
"""Inputs of the genuine provider that nobody has missed: the check refuses them by name."""
SERVED_WORDS = {
    ("aws:apigatewayv2/api:Api", "protocolType"): "HTTP APIs alone are served",
    ("aws:apigatewayv2/authorizer:Authorizer", "authorizerType"): "as tokens alone are checked",
    ("aws:apigatewayv2/integration:Integration", "integrationType"): "HTTP APIs have no others",
    ("aws:sns/topicSubscription:TopicSubscription", "protocol"): "what the local cloud delivers to",
}
NEEDED_BY_AWS = {
    ("aws:apigatewayv2/integration:Integration", "integrationUri"): "for the kinds of integration that are served",
    ("aws:ssm/parameter:Parameter", "value"): "for the kinds of parameter that are served",
}
CHOSEN_BY_AWS = {
    ("aws:dynamodb/table:Table", "streamEnabled"): "AWS refuses to switch off what is off: it is not sent",
    ("aws:dynamodb/table:Table", "tableClass"): "AWS bounds how often it changes: it is not sent unasked",
    ("aws:lambda/eventSourceMapping:EventSourceMapping", "maximumBatchingWindowInSeconds"): "it depends on the source",
}
REPLACED_INSTEAD = {
    ("aws:sns/topicSubscription:TopicSubscription", "rawMessageDelivery"),
    ("aws:sns/topicSubscription:TopicSubscription", "filterPolicy"),
}
"""What AWS could change in place; a subscription has no content that a replacement would lose."""
NOT_NEEDED_BY_THE_SDK = {
    ("aws:s3/bucket:Bucket", "serverSideEncryptionConfiguration.rule.applyServerSideEncryptionByDefault"),
}
"""What programs for the SDK that is pinned may leave out, and AWS takes so."""
_LENGTH = "AWS refuses names of this length, with what is appended to a prefix"
STRICTER = {
    ("aws:ec2/launchTemplate:LaunchTemplate", "namePrefix"): _LENGTH,
    ("aws:ec2/launchTemplate:LaunchTemplate", "blockDeviceMappings.ebs.deleteOnTermination"): "leave it out instead",
    ("aws:ec2/launchTemplate:LaunchTemplate", "blockDeviceMappings.ebs.encrypted"): "leave it out instead",
    ("aws:ecr/repository:Repository", "name"): _LENGTH,
    ("aws:iam/rolePolicy:RolePolicy", "role"): "the genuine provider's expression is not anchored; IAM's is",
    ("aws:lambda/function:Function", "name"): "the genuine provider takes what is an ARN's length, AWS 64 characters",
    ("aws:lambda/permission:Permission", "function"): "the genuine provider's expression is not anchored; Lambda's is",
    ("aws:lambda/permission:Permission", "statementIdPrefix"): _LENGTH,
    ("aws:s3/bucketObjectv2:BucketObjectv2", "key"): "S3 takes 1,024 bytes",
    ("aws:sfn/stateMachine:StateMachine", "definition"): "Step Functions takes JSON alone",
    ("aws:dynamodb/table:Table", "name"): _LENGTH,
    ("aws:dynamodb/table:Table", "globalSecondaryIndexes.hashKey"): "DynamoDB's own limit for names of attributes",
    ("aws:cloudwatch/eventRule:EventRule", "namePrefix"): _LENGTH,
    ("aws:sns/topic:Topic", "name"): _LENGTH,
    ("aws:sns/topic:Topic", "namePrefix"): _LENGTH,
    ("aws:sqs/queue:Queue", "name"): "refused by the genuine provider's CustomizeDiff, with the schema's blessing",
    ("aws:sqs/queue:Queue", "namePrefix"): _LENGTH,
    ("aws:ssm/parameter:Parameter", "name"): "AWS counts the ARN's other parts to its 2,048 characters",
}
"""Where less is taken than by the genuine provider: it leaves these to AWS, which refuses them."""

Departures = Iterator[tuple[str, object]]


def served(token: str) -> Iterator[tuple[str, Property, Attribute]]:
    """Yield the properties that a table serves, each with its path and what the genuine provider says of it."""
    properties = {name: field for name, field in TYPES[token].properties.items() if name not in COMMON}
    yield from _served(token, "", properties, GENUINE[terraform_name(token)]["attributes"])


def _served(
    token: str, above: str, fields: Mapping[str, Property], attributes: Mapping[str, Attribute]
) -> Iterator[tuple[str, Property, Attribute]]:
    for name, field in fields.items():
        path = f"{above}{name}"
        names = [RENAMED.get((token, path), ""), *spellings(name)]
        theirs = next((attributes[one] for one in names if one in attributes), None)
        if theirs is not None:
            yield path, field, theirs
            yield from _served(token, f"{path}.", field.fields, theirs.get("attributes", {}))


def inputs(token: str) -> Iterator[tuple[str, Property, Attribute]]:
    """Yield what programs may give."""
    return (one for one in served(token) if not one[1].output)


def is_automatic(type_: ResourceType, path: str) -> bool:
    """Return whether Pulumi makes a name up where the program leaves it out."""
    return type_.name is not None and path in (type_.name.property, type_.name.prefix)


def other_sides(token: str) -> Departures:
    """Yield what a program gives here and the provider there, or the reverse."""
    known = {path for path, _, _ in served(token)}
    for name, field in TYPES[token].properties.items():
        if name not in known and name not in COMMON and not (field.output and name in TYPES[token].identity):
            yield name, "is no attribute"
    for path, field, theirs in served(token):
        is_output = theirs.get("computed", False) and not theirs.get("optional", False)
        if field.output != is_output and (token, path) not in SERVED_AS_OUTPUTS:
            yield path, "is an output" if is_output else "is an input"
    for path, field, theirs in inputs(token):
        expected = theirs.get("required", False) or (token, path) in NEEDED_BY_AWS
        expected = expected and (token, path) not in NOT_NEEDED_BY_THE_SDK
        if field.required != expected and not is_automatic(TYPES[token], path):
            yield path, "is required" if expected else "is not required"


def other_choices(token: str) -> Departures:
    """Yield what AWS chooses here and the provider there, or the reverse, where a program gives nothing."""
    for path, field, theirs in inputs(token):
        if field.required or is_automatic(TYPES[token], path):
            continue
        default, by_aws = theirs.get("default"), theirs.get("computed") or theirs.get("suppress")
        # Terraform's first framework does not tell a false or 0 from nothing.
        if (token, path) in CHOSEN_BY_AWS:
            continue
        # A default where AWS chooses is what AWS is known to choose.
        if (field.default or None) != (default or None) and not (default is None and by_aws):
            yield path, f"has the default {default!r}"
        if field.computed and not by_aws:
            yield path, "is not chosen by AWS"
        if theirs.get("computed") and not field.computed and field.default is None:
            yield path, "is chosen by AWS"


def other_replacements(token: str) -> Departures:
    """Yield what replaces the resource on one side only."""
    for path, field, theirs in inputs(token):
        if field.replace != theirs.get("replace", False) and (token, path) not in REPLACED_INSTEAD:
            yield path, "does not replace" if field.replace else "replaces"


def other_words(token: str) -> Departures:
    """Yield where words are taken on one side only."""
    for path, field, theirs in inputs(token):
        ours, all_ = set(map(str, field.one_of)), set(theirs.get("oneOf", ()))
        if ours != all_ and not (ours and ours < all_ and (token, path) in SERVED_WORDS):
            yield path, sorted(all_)
        if field.any_case != theirs.get("anyCase", False):
            yield path, "any case" if theirs.get("anyCase") else "this case only"


def wider_ranges(token: str) -> Departures:
    """Yield where a number passes that the genuine provider refuses."""
    for path, field, theirs in inputs(token):
        if (known := theirs.get("between")) and not field.one_of:
            ours = field.between
            if ours is None or ours.least < known[0] or min(ours.most, UNLIMITED) > known[1]:
                yield path, known


def takes(token: str, path: str, text: str) -> bool:
    """Return whether our check takes a text at a path."""
    first, *rest = path.split(".")
    fields = [TYPES[token].properties[first]]
    for name in rest:
        fields.append(fields[-1].fields[name])
    value: Any = [text] if fields.pop().kind == "list" else text
    for name, outer in zip(reversed(rest), reversed(fields), strict=True):
        value = [{name: value}] if outer.many or outer.wrapped else {name: value}
    return not any(place.split("[")[0] == path for place, _ in check(TYPES[token], {first: value}).failures)


def other_texts(token: str) -> Departures:
    """Yield the texts that one side alone takes, besides words."""
    for path, field, theirs in inputs(token):
        if field.one_of or field.kind == "asset" or theirs["type"] not in ("string", "list of string", "set of string"):
            continue
        refused = set(theirs.get("refuses", ()))
        ours = {label for label, text in TEXTS.items() if not takes(token, path, text)}
        if wrong := refused - ours:
            yield path, f"refuses {sorted(wrong)}"
        if (wrong := ours - refused) and (token, path) not in STRICTER:
            yield path, f"takes {sorted(wrong)}"


CHECKS = [other_sides, other_choices, other_replacements, other_words, wider_ranges, other_texts]


@pytest.mark.parametrize("departures", CHECKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("token", TYPES)
def test_the_table_is_that_of_the_genuine_provider(token: str, departures: Any) -> None:
    assert [*departures(token)] == []


SPOILED: list[tuple[Any, str, dict[str, Any]]] = [
    (other_sides, "policy", {"required": True}),
    (other_sides, "policy", {"optional": False}),
    (other_choices, "delay_seconds", {"default": 5}),
    (other_choices, "policy", {"computed": False, "suppress": False}),
    (other_replacements, "fifo_queue", {"replace": False}),
    (other_words, "policy", {"oneOf": ["Allow"]}),
    (wider_ranges, "delay_seconds", {"between": (1, 900)}),
    (other_texts, "receive_wait_time_seconds", {"type": "string", "refuses": ["digits"]}),
    (other_texts, "policy", {"refuses": []}),
]


@pytest.mark.parametrize(("departures", "attribute", "change"), SPOILED)
def test_a_departure_is_seen(
    departures: Any, attribute: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = GENUINE["aws_sqs_queue"]["attributes"]
    monkeypatch.setitem(known, attribute, {**known[attribute], **change})
    assert len([*departures("aws:sqs/queue:Queue")]) == 1
