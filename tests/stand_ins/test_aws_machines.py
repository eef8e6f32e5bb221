"""What compute environments stand on, under the genuine SDK and the real engine: networks, templates, profiles."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws

from tests.world.aws_plugin import ASSUME, Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS


def machines(access_point: str, disk: int, days: int, **tags: str) -> Callable[[], None]:
    def program() -> None:
        vpcs: Any = aws.ec2.get_vpcs(filters=[{"name": "is-default", "values": ["true"]}])
        subnets: Any = aws.ec2.get_subnets(
            filters=[{"name": "vpc-id", "values": vpcs.ids}, {"name": "default-for-az", "values": ["true"]}]
        )
        subnet = aws.ec2.get_subnet(id=subnets.ids[0])
        group = aws.ec2.get_security_group(name="default", vpc_id=subnet.vpc_id)
        role = aws.iam.Role("role", assume_role_policy=ASSUME)
        profile = aws.iam.InstanceProfile("profile", role=role.name, tags=tags)
        mappings: Any = [{"device_name": "/dev/xvda", "ebs": {"volume_size": disk, "encrypted": "true"}}]
        template = aws.ec2.LaunchTemplate(
            "template", block_device_mappings=mappings, user_data="IyEvYmluL3No", tags=tags
        )
        bucket = aws.s3.Bucket("events", force_destroy=True)
        rule: Any = {"id": "expire", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": days}}
        aws.s3.BucketLifecycleConfiguration("lifecycle", bucket=bucket.bucket, rules=[rule])
        pulumi.export("vpcs", [*vpcs.ids, aws.ec2.get_vpc(default=True).id, subnet.vpc_id, group.vpc_id])
        pulumi.export("subnets", subnets.ids)
        pulumi.export("version", template.latest_version)
        pulumi.export("profile", profile.arn)
        pulumi.export("bucket", bucket.bucket)
        pulumi.export("file_system", aws.efs.get_access_point(access_point_id=access_point).file_system_id)

    return program


def test_what_environments_stand_on_is_looked_up_made_changed_and_deleted(bench: Bench) -> None:
    efs, ec2, s3, iam = (client(bench.endpoint, service) for service in ("efs", "ec2", "s3", "iam"))
    file_system = efs.create_file_system(CreationToken="t")["FileSystemId"]
    point = efs.create_access_point(ClientToken="t", FileSystemId=file_system)["AccessPointId"]

    stack = bench.stack(machines(point, 50, 30, team="a", gone="x"))
    outputs = stack.up().outputs
    assert len(set(outputs["vpcs"].value)) == 1
    assert outputs["file_system"].value == file_system
    assert outputs["version"].value == 1
    assert ":instance-profile/profile-" in outputs["profile"].value
    bucket = outputs["bucket"].value
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["Expiration"]["Days"] for rule in rules] == [30]
    assert changes(stack.up()) == {}
    assert changes(stack.refresh()) == {}

    stack = bench.stack(machines(point, 80, 7, team="b"))
    result = stack.up()
    assert changes(result) == {"update": 3}
    assert result.outputs["version"].value == 2
    template = ec2.describe_launch_templates()["LaunchTemplates"][0]
    versions = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert versions[0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 80
    assert {tag["Key"]: tag["Value"] for tag in template["Tags"]} == {"team": "b"}

    stack.destroy()
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
