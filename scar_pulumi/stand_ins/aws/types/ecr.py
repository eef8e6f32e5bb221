"""Elastic Container Registry: repositories, their lifecycle rules and policies."""

from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Tags,
    boolean,
    json_text,
    nested,
    output,
    string,
)

_MUTABILITY = ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")

REPOSITORY = ResourceType(
    "aws:ecr/repository:Repository",
    service="ecr",
    camel=True,
    documentation="https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html",
    identity="{name}",
    name=AutoName("name", 256, lower=True),
    properties={
        "name": string("repositoryName", computed=True, replace=True),
        "forceDelete": boolean(local=True),
        "imageTagMutability": string(default="MUTABLE", one_of=_MUTABILITY),
        "imageScanningConfiguration": nested({"scanOnPush": boolean(required=True)}, computed=True),
        "encryptionConfigurations": nested(
            {
                "encryptionType": string(default="AES256", replace=True, one_of=("AES256", "KMS", "KMS_DSSE")),
                "kmsKey": string(computed=True, replace=True),
            },
            "encryptionConfiguration",
            wrapped=True,
            computed=True,
            replace=True,
        ),
        "arn": output(template="arn:{partition}:ecr:{region}:{account}:repository/{name}"),
        "registryId": output(template="{account}"),
        "repositoryUrl": output(template="{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
    },
    create=Call("create_repository", "repository"),
    read=Call("describe_repositories", "repositories.0", {"repositoryNames": ["{name}"]}),
    updates=("put_image_tag_mutability", "put_image_scanning_configuration"),
    delete=Call("delete_repository", extra={"force": "{forceDelete}"}),
    tags=Tags(
        {"resourceArn": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", pairs=("Key", "Value")
    ),
    created="createdAt",
)

LIFECYCLE_POLICY = ResourceType(
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    service="ecr",
    camel=True,
    documentation="https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html",
    identity="{repository}",
    properties={
        "repository": string("repositoryName", required=True, replace=True),
        "policy": json_text("lifecyclePolicyText", required=True, replace=True),
        "registryId": output(template="{account}"),
    },
    create=Call("put_lifecycle_policy"),
    read=Call("get_lifecycle_policy"),
    rewrite=True,
    delete=Call("delete_lifecycle_policy"),
)

REPOSITORY_POLICY = ResourceType(
    "aws:ecr/repositoryPolicy:RepositoryPolicy",
    service="ecr",
    camel=True,
    documentation="https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html",
    identity="{repository}",
    properties={
        "repository": string("repositoryName", required=True, replace=True),
        "policy": json_text("policyText", required=True),
        "registryId": output(template="{account}"),
    },
    create=Call("set_repository_policy"),
    read=Call("get_repository_policy"),
    rewrite=True,
    delete=Call("delete_repository_policy"),
)
