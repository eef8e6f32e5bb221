"""Identity and Access Management: roles and what they may do."""

from scar_foundation.limits import IAM_ROLE_NAME_CHARACTERS, Range
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING, IAM_NAME, JSON_OBJECT
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    json_text,
    output,
    string,
)


def _detach_policies(cloud: Cloud, role: Properties) -> None:
    """Remove a role's policies: IAM refuses to delete a role that has any."""
    name = role["name"]
    for policy in cloud.call("iam", "list_role_policies", RoleName=name)["PolicyNames"]:
        cloud.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
    if role.get("forceDetachPolicies"):
        for attached in cloud.call("iam", "list_attached_role_policies", RoleName=name)["AttachedPolicies"]:
            cloud.call("iam", "detach_role_policy", RoleName=name, PolicyArn=attached["PolicyArn"])


ROLE = ResourceType(
    "aws:iam/role:Role",
    service="iam",
    regional=False,
    documentation="https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    identity="{name}",
    name=AutoName("name", IAM_ROLE_NAME_CHARACTERS, prefix="namePrefix"),
    properties={
        "name": string("RoleName", computed=True, replace=True, form=IAM_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=IAM_NAME),
        "path": string(default="/", replace=True, length=Range(0, 512)),
        "assumeRolePolicy": json_text(("AssumeRolePolicyDocument", "PolicyDocument"), required=True, form=JSON_OBJECT),
        "description": string(length=Range(0, 1000)),
        "maxSessionDuration": integer(default=3600, between=Range(3600, 43200)),
        "permissionsBoundary": string(
            ("PermissionsBoundary", "PermissionsBoundary.PermissionsBoundaryArn"), form=ARN_OR_NOTHING
        ),
        "forceDetachPolicies": boolean(local=True, default=False),
        "arn": output(template="arn:{partition}:iam::{account}:role{path}{name}"),
        "createDate": output(),
        "uniqueId": output("RoleId"),
    },
    create=Call("create_role", "Role"),
    read=Call("get_role", "Role"),
    updates=("update_assume_role_policy", "update_role"),
    settings=(Setting("permissionsBoundary", "put_role_permissions_boundary", "delete_role_permissions_boundary"),),
    delete=Call("delete_role"),
    before_delete=_detach_policies,
    tags=Tags({"RoleName": "{name}"}, "list_role_tags", "tag_role", "untag_role", pairs=("Key", "Value")),
    created="CreateDate",
)

ROLE_POLICY = ResourceType(
    "aws:iam/rolePolicy:RolePolicy",
    service="iam",
    regional=False,
    documentation="https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html",
    identity="{role}:{name}",
    name=AutoName("name", 128, prefix="namePrefix"),
    properties={
        "role": string("RoleName", required=True, replace=True, length=Range(1, 128), form=IAM_NAME),
        "name": string("PolicyName", computed=True, replace=True, form=IAM_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=IAM_NAME),
        "policy": json_text("PolicyDocument", required=True, form=JSON_OBJECT),
    },
    create=Call("put_role_policy"),
    read=Call("get_role_policy"),
    rewrite=True,
    delete=Call("delete_role_policy"),
)

ROLE_POLICY_ATTACHMENT = ResourceType(
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    service="iam",
    regional=False,
    documentation="https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html",
    identity="{role}/{policyArn}",
    properties={
        "role": string("RoleName", required=True, replace=True),
        "policyArn": string(required=True, replace=True, form=ARN_OR_NOTHING),
    },
    create=Call("attach_role_policy"),
    read=Call("list_attached_role_policies", "AttachedPolicies", where=("PolicyArn", "{policyArn}")),
    delete=Call("detach_role_policy"),
)


def _without_roles(cloud: Cloud, profile: Properties) -> None:
    """Remove a profile's roles: IAM refuses to delete a profile that has one."""
    name = profile["name"]
    found = cloud.call("iam", "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]
    for role in found["Roles"]:
        cloud.call("iam", "remove_role_from_instance_profile", InstanceProfileName=name, RoleName=role["RoleName"])


INSTANCE_PROFILE = ResourceType(
    "aws:iam/instanceProfile:InstanceProfile",
    service="iam",
    regional=False,
    documentation="https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html",
    identity="{name}",
    name=AutoName("name", 128, prefix="namePrefix"),
    properties={
        "name": string("InstanceProfileName", computed=True, replace=True, form=IAM_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=IAM_NAME),
        "path": string(default="/", replace=True),
        "role": string(("RoleName", "Roles.0.RoleName")),
        "arn": output(template="arn:{partition}:iam::{account}:instance-profile{path}{name}"),
        "createDate": output(),
        "uniqueId": output("InstanceProfileId"),
    },
    create=Call("create_instance_profile", "InstanceProfile"),
    read=Call("get_instance_profile", "InstanceProfile"),
    settings=(Setting("role", "add_role_to_instance_profile", clear_first=_without_roles),),
    delete=Call("delete_instance_profile"),
    before_delete=_without_roles,
    tags=Tags(
        {"InstanceProfileName": "{name}"},
        "list_instance_profile_tags",
        "tag_instance_profile",
        "untag_instance_profile",
        pairs=("Key", "Value"),
    ),
    created="CreateDate",
)
