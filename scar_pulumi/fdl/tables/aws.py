"""One entry of `functions.aws`: its sections `lambda` or `mapreduce`, `batch`, `iam`, `cloudwatch` and `ecr`."""

from dataclasses import replace

from scar_foundation import limits
from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.model import Batch, ComputeResources, FileSystem, Function, MapReduce, MultiNodeParallel, Vpc
from scar_pulumi.fdl.tables.api_gateway import API_GATEWAY
from scar_pulumi.fdl.tables.mapreduce import MAPREDUCE_KEYS
from scar_pulumi.fdl.tables.names import (
    ACCESS_POINT,
    DESTINATION,
    FILE,
    IMAGE,
    MOUNT_PATH,
    PROFILE,
    REGION,
    ROLE,
    SCRIPT,
    SECURITY_GROUPS,
    SUBNETS,
    TAGS,
    environment,
)
from scar_pulumi.fdl.tables.storage import storage_list

_CREATE = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_TAGS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"
_COMPUTE = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html"
_JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html"
_NODES = "https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html"
_RETENTION = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"

_FUNCTION_NAME = Text(
    what="a function name",
    longest=limits.LAMBDA_NAME_CHARACTERS,
    rules=(
        Rule(r"^arn:", "is an ARN", "give the name alone", True),
        Rule(
            limits.LAMBDA_NAME_PATTERN,
            "is not a name that Lambda accepts for a function",
            "use letters, digits, '-' and '_'",
        ),
    ),
)

_CONTAINER = Section(
    inline=True,
    keys={
        "image": Key("Image in a registry.", IMAGE),
        "image_file": Key(
            "Image as a file: a `docker save` archive, an OCI directory, or a directory with a Dockerfile.", FILE
        ),
        "environment": environment("Variables of the user's process.", "container_environment"),
        "timeout_threshold": Key(
            "Seconds of the timeout that are kept free to store outputs.",
            Whole(minimum=0, maximum=limits.LAMBDA_TIMEOUT.most - 1, unit="s"),
            default_doc="10, or half of a timeout below 20",
            # https://github.com/grycap/scar/blob/master/fdl-example.yaml has it with a quote too many.
            aliases=('timeout_threshold"',),
        ),
        "alpine": Key(
            "Whether the image uses musl.", note="the supervisor runs in every Linux image", quiet=("false", "False")
        ),
        "create_image": Key(
            "Whether an image with the supervisor is made; `false` takes an image in ECR as it is.",
            Flag(),
            default=True,
        ),
    },
    exactly_one=("image", "image_file"),
)


def _number(
    doc: str, bounds: limits.Range, unit: str = "", *, whose: str = "Lambda's", link: str = _LIMITS, field: str = ""
) -> Key:
    kind = Whole.within(bounds, unit=unit, whose=whose)
    return Key(doc, kind, default=bounds.default, link=link, field=field or None)


_LAMBDA = {
    "name": Key("Name of the function.", _FUNCTION_NAME, required=True, link=_CREATE),
    "description": Key(
        "Description in the AWS console.",
        Text(what="a description", longest=limits.LAMBDA_DESCRIPTION_CHARACTERS),
        default="Automatically generated lambda function",
        link=_CREATE,
    ),
    "memory": _number("Memory in MB.", limits.LAMBDA_MEMORY, "MB"),
    "timeout": _number("Seconds after which an invocation is stopped.", limits.LAMBDA_TIMEOUT, "s"),
    "ephemeral_storage": Key(
        "Size of /tmp.",
        Section(
            inline=True,
            keys={"Size": _number("Size in MB.", limits.LAMBDA_EPHEMERAL_STORAGE, "MB", field="ephemeral_storage")},
            shorthand="Size",
        ),
    ),
    "architectures": Key(
        "Instruction set of the image, a list of one.",
        Items(Choice(limits.LAMBDA_ARCHITECTURES), least=1, most=1),
        default=limits.LAMBDA_ARCHITECTURES[:1],
        field="architecture",
    ),
    "execution_mode": Key(
        "Where events run: in Lambda, in AWS Batch, or in Lambda first and in Batch if the time is not enough.",
        Choice(("lambda", "lambda-batch", "batch")),
        default="lambda",
    ),
    "log_level": Key(
        "Level of the supervisor's log lines.",
        Choice(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), fold=True),
        default="INFO",
    ),
    "log_format": Key("Format of the supervisor's log lines.", Choice(("text", "json"), fold=True), default="text"),
    "file_stage_in": Key("Whether input files stay where they are, for the script to fetch.", Flag(), default=False),
    "init_script": Key(
        "Script that runs for each event: a file, or the script itself as block text.",
        SCRIPT,
        default_doc="what the image itself starts",
    ),
    "environment": environment("Variables of the Lambda function.", of_lambda=True),
    "container": Key("The image and its process.", _CONTAINER, required=True),
    "input": storage_list("Places whose new files start the function."),
    "output": storage_list("Places where result files go."),
    "failure_destination": Key(
        "ARN of the bucket, queue, topic, bus or function that gets events which failed for good, with their data; "
        "from a bucket or a queue, `scar-pulumi failures --again` runs them again.",
        DESTINATION,
        link="https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
    ),
    "allow_loop": Key(
        "Whether outputs of this function may start it again, directly or through other functions.",
        Flag(),
        default=False,
    ),
    "vpc": Key(
        "Network that the function is attached to.",
        Section(
            makes=Vpc,
            keys={
                "SubnetIds": Key("Subnets.", SUBNETS, field="subnet_ids"),
                "SecurityGroupIds": Key("Security groups.", SECURITY_GROUPS, field="security_group_ids"),
            },
            together=("SubnetIds", "SecurityGroupIds"),
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html",
    ),
    "file_system": Key(
        "EFS access point to mount, a list of one; it needs a VPC.",
        Items(
            Section(
                makes=FileSystem,
                keys={
                    "Arn": Key("ARN of the access point.", ACCESS_POINT, field="arn", required=True),
                    "LocalMountPath": Key("Path below /mnt.", MOUNT_PATH, field="local_mount_path", required=True),
                },
            ),
            most=1,
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html",
    ),
    "tags": Key(
        "AWS tags of everything that belongs to the function.",
        TAGS,
        link=_TAGS,
    ),
    "region": Key("AWS region of the function.", REGION, default_doc="the stack's region"),
}

_INVOKING = "a call itself says how to invoke: `scar-pulumi invoke` and `run` have options for it"
_LAMBDA_WITHOUT_EFFECT = {
    "runtime": Key("Kind of package in SCAR.", note="every function is an image here", quiet=("image",)),
    "layers": Key("Layers of zip packages.", note="container images have no Lambda layers"),
    "handler": Key("Handler of zip packages.", note="every function is an image here"),
    "deployment": Key("Upload of zip packages.", note="images go through the image repository"),
    "supervisor": Key("Version of SCAR's supervisor.", note="scar-pulumi brings a supervisor of its own"),
    "boto_profile": PROFILE,
    "run_script": Key("Script of `scar run`.", note="it is not deployed: only SCAR's 'run' reads it"),
    "invocation_type": Key("Option of `scar run`.", note=_INVOKING),
    "asynchronous": Key("Option of `scar run`.", note=_INVOKING),
    "log_type": Key("Option of `scar run`.", note=_INVOKING),
    "extra_payload": Key("Files of zip packages.", note="put the files into the image itself"),
    "isolation_level": Key("Key of OSCAR services.", note="only services on OSCAR clusters isolate users"),
    "bucket_list": Key("Key of OSCAR services.", note="only services on OSCAR clusters isolate users"),
    "config_path": Key("Path of SCAR's client.", note="only SCAR's client reads it", quiet=("",)),
    "preheat": Key("Whether SCAR invokes the function once.", note="deploying invokes nothing"),
}

# Batch's own names are checked only where Batch is used: SCAR's example files leave them as "arn:...".
_ARN = Text(what="an ARN", optional=True)
_INSTANCE_TYPE = Text(
    what="an instance type",
    rules=(
        Rule(
            r"optimal|[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)?",
            "is not an instance type",
            "write it like m5.large, a family like m5, or optimal",
        ),
    ),
)


def _vcpus(doc: str, *, default: int, field: str) -> Key:
    return Key(doc, Whole(minimum=0, maximum=100_000), default=default, field=field, link=_COMPUTE)


_COMPUTE_RESOURCES = Section(
    makes=ComputeResources,
    keys={
        "type": Key(
            "Kind of capacity.", Choice(("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")), default="EC2", link=_COMPUTE
        ),
        "min_v_cpus": _vcpus("vCPUs that run even without jobs.", default=0, field="min_vcpus"),
        "desired_v_cpus": _vcpus("vCPUs to start with.", default=0, field="desired_vcpus"),
        "max_v_cpus": _vcpus("Most vCPUs at once.", default=2, field="max_vcpus"),
        "instance_types": Key(
            "Instance types or families, or optimal.",
            Items(_INSTANCE_TYPE, least=1),
            default=("m3.medium",),
            link=_COMPUTE,
        ),
        "subnets": Key(
            "Subnets of the instances.",
            Items(Text(what="a subnet"), most=16),
            default=(),
            default_doc="those of the default VPC",
            field="subnet_ids",
            link=_COMPUTE,
        ),
        "security_group_ids": Key(
            "Security groups of the instances.",
            Items(Text(what="a security group")),
            default=(),
            default_doc="the default one of the VPC",
            link=_COMPUTE,
        ),
        "instance_role": Key("Instance profile of the instances.", _ARN, default_doc="a generated one", link=_COMPUTE),
        "launch_template_name": Key(
            "SCAR's launch template.",
            note="instances need no launch template: the supervisor is in the image",
            quiet=("faas-supervisor",),
        ),
    },
)

_MULTI_NODE_PARALLEL = Section(
    makes=MultiNodeParallel,
    keys={
        "enabled": Key("Whether a job runs on several nodes.", Flag(), default=False, aliases=("enable",)),
        "number_nodes": Key(
            "Nodes of a job.", Whole.within(limits.BATCH_NODES, whose="Batch's"), default=10, link=_NODES
        ),
        "main_node_index": Key(
            "Index of the main node, from 0.",
            Whole(minimum=0, maximum=limits.BATCH_NODES.most - 1, whose="Batch's"),
            default=0,
            link=_NODES,
        ),
    },
)

_PARTS_OF_A_VCPU = tuple(size for size in limits.BATCH_FARGATE_MEMORY if size < 1)

_BATCH = Section(
    makes=Batch,
    keys={
        "vcpus": Key(
            "vCPUs of a job; parts of one on Fargate.",
            replace(Whole.within(limits.BATCH_VCPUS, whose="Batch's"), besides=_PARTS_OF_A_VCPU),
            default=limits.BATCH_VCPUS.default,
            link=_JOB,
        ),
        "memory": Key(
            "Memory of a job in MB; on Fargate one of the sizes that it has for the vCPUs.",
            Whole.within(limits.BATCH_MEMORY, unit="MB", whose="Batch's"),
            default_doc=f"`{limits.BATCH_MEMORY.default}`, or the least that Fargate has",
            link=_JOB,
        ),
        "enable_gpu": Key("Whether a job gets a GPU.", Flag(), default=False),
        "environment": environment("Variables of the job; those of the container win over them."),
        "multi_node_parallel": Key("Jobs on several nodes.", _MULTI_NODE_PARALLEL, link=_NODES),
        "compute_resources": Key("What jobs run on.", _COMPUTE_RESOURCES),
        "state": Key("Whether the queue accepts jobs.", Choice(("ENABLED", "DISABLED")), default="ENABLED"),
        "type": Key("Who runs the instances.", Choice(("MANAGED", "UNMANAGED")), default="MANAGED"),
        "service_role": Key("Role of the Batch service.", _ARN, default_doc="AWS's service-linked role"),
        "region": Key("Region of the environment: always the function's.", REGION, unused=True),
        "boto_profile": PROFILE,
    },
)

_IAM = Section(
    inline=True,
    keys={
        "role": Key(
            "ARN of the execution role.",
            ROLE,
            default_doc="a generated role with the least rights",
            link=f"{_CREATE}#lambda-CreateFunction-request-Role",
        ),
        "boto_profile": PROFILE,
        "account_id": Key("Account of SCAR's role.", note="the account is the one that the stack deploys to"),
    },
)

_CLOUDWATCH = Section(
    inline=True,
    keys={
        "region": Key("Region of the logs: always the function's.", REGION, unused=True),
        "log_retention_policy_in_days": Key(
            "Days that log lines are kept.",
            Choice(limits.LOG_RETENTION_CHOICES),
            default=limits.LOG_RETENTION_DAYS,
            field="log_retention",
            link=_RETENTION,
        ),
        "boto_profile": PROFILE,
    },
)

_ECR = Section(
    inline=True,
    keys={
        "delete_image": Key(
            "Whether `scar rm` deletes the image.",
            note="the image repository belongs to the stack and is destroyed with it",
            quiet=("true", "True"),
        )
    },
)

_BESIDE = {
    "iam": Key("Its permissions.", _IAM),
    "cloudwatch": Key("Its logs.", _CLOUDWATCH),
    "ecr": Key("Its image repository.", _ECR),
    "s3": Key(
        "SCAR's S3 client: region, boto_profile, event.",
        note="buckets are used with the stack's own credentials and region",
    ),
    "batch": Key("AWS Batch, for what runs there.", _BATCH),
}
_MAPREDUCE_SECTION = Key(
    "A mapper and a reducer over the records of files.",
    Section(inline=True, keys=MAPREDUCE_KEYS, only_if_given=True),
)

AWS_FUNCTION = Section(
    makes=Function,
    keys={
        "lambda": Key(
            "The function.",
            Section(inline=True, keys={**_LAMBDA, **_LAMBDA_WITHOUT_EFFECT}, only_if_given=True),
        ),
        "mapreduce": replace(_MAPREDUCE_SECTION, unused=True),
        **_BESIDE,
        "api_gateway": Key("Its HTTP endpoint.", API_GATEWAY),
    },
    exactly_one=("lambda", "mapreduce"),
)
MAPREDUCE = Section(makes=MapReduce, keys={"mapreduce": _MAPREDUCE_SECTION, **_BESIDE})
"""An entry of `functions.aws` that has `mapreduce`, as the model has it."""
