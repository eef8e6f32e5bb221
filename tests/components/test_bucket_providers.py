"""The providers of buckets and notifications, on the S3 of a local cloud."""

from collections.abc import Iterator
from typing import Any, TypeVar

import pulumi
import pytest

from scar_components.adoption import OWNER_TAG
from scar_components.bucket_notification import BucketNotificationProvider
from scar_components.resource_provider import AwsResourceProvider
from scar_components.storage_bucket import StorageBucketProvider
from scar_foundation.aws_session import AwsSession, configured_session
from scar_pulumi.cloud import LocalCloud

OWNER = "organization/photos/dev"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:theirs"
Provider = TypeVar("Provider", bound=AwsResourceProvider)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    cloud.start()
    yield cloud.environment()
    cloud.stop()


@pytest.fixture(autouse=True)
def environment(cloud: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3() -> Any:
    return AwsSession().client("s3")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"b-{abs(hash(request.node.name)):x}"[:40]


def configured(provider: Provider, **settings: str) -> Provider:
    provider.configure(settings)
    return provider


def bucket(name: str, **properties: Any) -> dict[str, Any]:
    return {"bucket": name, "tags": {}, "region": "us-east-1", "owner": OWNER, **properties}


def tags(s3: Any, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}


def test_a_missing_bucket_is_made_and_marked(s3: Any, name: str) -> None:
    created = configured(StorageBucketProvider()).create(bucket(name, tags={"team": "photos"}))
    assert created.outs
    assert created.outs["managed"] is True
    assert tags(s3, name) == {OWNER_TAG: OWNER, "team": "photos"}


def test_a_bucket_of_somebody_else_is_adopted_untouched_and_never_deleted(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "theirs", "Value": "1"}]})
    provider = configured(StorageBucketProvider(), deleteBuckets="true")
    created = provider.create(bucket(name))
    assert created.outs
    assert created.outs["managed"] is False
    assert tags(s3, name) == {"theirs": "1"}
    provider.delete(name, created.outs)
    s3.head_bucket(Bucket=name)


def test_an_existing_bucket_of_another_region_is_written_to_but_starts_nothing(s3: Any, name: str) -> None:
    AwsSession().client("s3", "eu-west-1").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    provider = configured(StorageBucketProvider())
    with pytest.raises(pulumi.RunError, match=f"bucket {name}: is in eu-west-1, .* they are in us-east-1"):
        provider.create(bucket(name))
    written = bucket(name, any_region=True)
    created = provider.create(written)
    assert created.outs
    assert created.outs["managed"] is False
    assert provider.read(name, created.outs).id == name
    started = bucket(name, any_region=False)
    assert provider.diff(name, created.outs, started).changes
    with pytest.raises(pulumi.RunError, match="is in eu-west-1"):
        provider.update(name, created.outs, started)
    assert not provider.diff(name, bucket(name), started).changes, "states of earlier versions"


def test_what_a_destroy_has_left_is_ours_again_with_the_tags_that_others_added(s3: Any, name: str) -> None:
    provider = configured(StorageBucketProvider())
    first = provider.create(bucket(name, tags={"team": "photos"}))
    assert first.outs
    provider.delete(name, first.outs)
    s3.put_bucket_tagging(
        Bucket=name,
        Tagging={"TagSet": [{"Key": OWNER_TAG, "Value": OWNER}, {"Key": "cost", "Value": "42"}]},
    )
    again = provider.create(bucket(name))
    assert again.outs
    assert again.outs["managed"] is True
    assert tags(s3, name) == {OWNER_TAG: OWNER, "cost": "42"}


def test_changed_tags_leave_those_of_others(s3: Any, name: str) -> None:
    provider = configured(StorageBucketProvider())
    created = provider.create(bucket(name, tags={"old": "1", "kept": "1"}))
    present = [{"Key": key, "Value": value} for key, value in {**tags(s3, name), "theirs": "1"}.items()]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": present})
    provider.update(name, created.outs or {}, bucket(name, tags={"kept": "2"}))
    assert tags(s3, name) == {OWNER_TAG: OWNER, "kept": "2", "theirs": "1"}


def test_a_bucket_with_its_objects_goes_only_when_the_stack_says_so(s3: Any, name: str) -> None:
    created = configured(StorageBucketProvider()).create(bucket(name))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="a/b c", Body=body)
    s3.delete_object(Bucket=name, Key="a/b c")
    configured(StorageBucketProvider(), deleteBuckets="false").delete(name, created.outs or {})
    s3.head_bucket(Bucket=name)
    configured(StorageBucketProvider(), deleteBuckets="true").delete(name, created.outs or {})
    assert configured(StorageBucketProvider()).read(name, created.outs or {}).id == ""


def test_a_bucket_that_notifies_others_is_not_deleted_from_under_them(s3: Any, name: str) -> None:
    provider = configured(StorageBucketProvider(), deleteBuckets="true")
    created = provider.create(bucket(name))
    their_rule(s3, name, "theirs/")
    with pytest.raises(pulumi.RunError, match="it still has notifications of others"):
        provider.delete(name, created.outs or {})


def test_a_bucket_that_went_outside_is_read_as_gone(s3: Any, name: str) -> None:
    provider = configured(StorageBucketProvider())
    created = provider.create(bucket(name))
    assert provider.read(name, created.outs or {}).id == name
    s3.delete_bucket(Bucket=name)
    assert provider.read(name, created.outs or {}).id == ""


def their_rule(s3: Any, name: str, prefix: str) -> None:
    sqs = AwsSession().client("sqs")
    sqs.create_queue(QueueName="theirs")
    allow = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
        f'"Action":"sqs:SendMessage","Resource":"{QUEUE}"}}]}}'
    )
    url = sqs.get_queue_url(QueueName="theirs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": allow})
    key = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    entry = {"Id": "theirs", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"], "Filter": key}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": [entry]})


def ids(s3: Any, name: str) -> list[str]:
    configuration = s3.get_bucket_notification_configuration(Bucket=name)
    kinds = ("LambdaFunctionConfigurations", "QueueConfigurations")
    return [entry["Id"] for kind in kinds for entry in configuration.get(kind, ())]


def notification(name: str, mark: str = "scar-1-", rules: Any = ()) -> dict[str, Any]:
    return {"bucket": name, "rules": list(rules), "region": "us-east-1", "mark": mark}


def test_taking_the_rules_out_again_leaves_those_of_others(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    their_rule(s3, name, "theirs/")
    provider = configured(BucketNotificationProvider())
    created = provider.create(notification(name))
    assert ids(s3, name) == ["theirs"]
    provider.delete(created.id, created.outs or {})
    assert ids(s3, name) == ["theirs"]


def test_a_rule_that_somebody_else_covers_is_refused_before_anything_is_sent(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    their_rule(s3, name, "in/")
    rule = {"function_arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "prefix": "in/new/", "suffix": ""}
    with pytest.raises(pulumi.RunError, match="'theirs' for prefix 'in/', overlaps with prefix 'in/new/'"):
        configured(BucketNotificationProvider()).create(notification(name, rules=[rule]))
    assert ids(s3, name) == ["theirs"]


def test_somebody_elses_stale_destination_is_named_when_s3_refuses_for_it(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    their_rule(s3, name, "theirs/")
    sqs = AwsSession().client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="theirs")["QueueUrl"])
    rule = {"function_arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "prefix": "in/", "suffix": ""}
    with pytest.raises(pulumi.RunError, match=QUEUE):
        configured(BucketNotificationProvider()).create(notification(name, rules=[rule]))
    assert ids(s3, name) == ["theirs"]


def test_rules_of_a_bucket_that_is_gone_are_read_as_gone_and_deleted_without_complaint(name: str) -> None:
    provider = configured(BucketNotificationProvider())
    assert provider.read("id", notification(name)).id == ""
    provider.delete("id", notification(name))


def test_a_renamed_stack_is_a_change_of_its_rules() -> None:
    provider = BucketNotificationProvider()
    assert provider.diff("id", notification("b", "scar-1-"), notification("b", "scar-2-")).changes
    assert not provider.diff("id", notification("b"), notification("b")).changes


@pytest.mark.parametrize("key", ["assumeRoleWithWebIdentity", "sharedCredentialsFiles"])
def test_configuration_that_would_lead_to_another_account_is_refused(key: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"aws:{key}"):
        configured_session({f"aws:{key}": "x"}.get)


def test_the_region_is_the_configured_one_else_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert AwsSession().region == "eu-west-1"
    assert AwsSession({"region": "eu-central-1"}).region == "eu-central-1"


def test_an_account_that_the_stack_does_not_allow_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="allowedAccountIds"):
        print(AwsSession({"allowedAccountIds": '["123456789012"]'}).account)
