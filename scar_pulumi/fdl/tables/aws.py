"""One entry of `functions.aws`: its sections `lambda`, `batch`, `iam`, `cloudwatch` and `ecr`."""

from scar_foundation.limits import (
    BATCH_MEMORY,
    BATCH_NODES,
    BATCH_VCPUS,
    LAMBDA_ARCHITECTURES,
    LAMBDA_DESCRIPTION_CHARACTERS,
    LAMBDA_EPHEMERAL_STORAGE,
    LAMBDA_MEMORY,
    LAMBDA_NAME_CHARACTERS,
    LAMBDA_NAME_PATTERN,
    LAMBDA_TIMEOUT,
    LOG_RETENTION_CHOICES,
    LOG_RETENTION_DAYS,
)
from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.model import Batch, ComputeResources, FileSystem, Function, MultiNodeParallel, Vpc
from scar_pulumi.fdl.tables.api_gateway import API_GATEWAY
from scar_pulumi.fdl.tables.names import (
    ACCESS_POINT,
    FILE,
    IMAGE,
    MOUNT_PATH,
    PROFILE,
    REGION,
    ROLE,
    SECURITY_GROUPS,
    SUBNETS,
)
from scar_pulumi.fdl.tables.storage import storage_list

_CREATE = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_VARIABLES = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"
_TAGS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"
_COMPUTE = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html"
_JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html"
_NODES = "https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html"
_RETENTION = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"

_VARIABLE_NAME = Text(
    what="a variable name",
    rules=(
        Rule(
            r"[a-zA-Z][a-zA-Z0-9_]+",
            "is not a name that Lambda accepts for a variable",
            "use two or more letters, digits and '_', with a letter first",
        ),
    ),
)

# The last line is what the supervisor sets for each event.
_RESERVED_VARIABLES = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_*"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("SCAR_FUNCTION", "INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR"),
    ),
)


def _environment(doc: str, field: str = "environment") -> Key:
    """Return a section `environment` with `Variables` in it, as Lambda's own API has it."""
    variables = Key(
        doc="Names and values; numbers and true/false are passed on as written.",
        kind=Table(
            names=_VARIABLE_NAME,
            of=Text(loose=True),
            reserved=_RESERVED_VARIABLES,
            reserved_by="Lambda or the supervisor",
        ),
        field=field,
        link=_VARIABLES,
        secret=True,
    )
    hint = "list variables below 'Variables:'"
    return Key(doc=doc, kind=Section(keys={"Variables": variables}, inline=True, unknown_hint=hint))


_TAG_CHARACTERS = Rule(
    r"[\w\s.:/=+\-@]*",
    "has characters that AWS refuses in tags",
    "use letters, digits, spaces and _ . : / = + - @",
)
_TAG_NAME = Text(
    what="a tag name",
    longest=128,
    rules=(Rule(r"^[aA][wW][sS]:", "starts with 'aws:', which AWS reserves", None, True), _TAG_CHARACTERS),
)
_TAG_VALUE = Text(what="a tag value", longest=256, rules=(_TAG_CHARACTERS,), loose=True)

_FUNCTION_NAME = Text(
    what="a function name",
    longest=LAMBDA_NAME_CHARACTERS,
    rules=(
        Rule(r"^arn:", "is an ARN", "give the name alone", True),
        Rule(
            LAMBDA_NAME_PATTERN,
            "is not a name that Lambda accepts for a function",
            "use letters, digits, '-' and '_'",
        ),
    ),
)

_CONTAINER = Section(
    inline=True,
    keys={
        "image": Key(doc="Image in a registry.", kind=IMAGE),
        "image_file": Key(
            doc="Image as a file: a `docker save` archive, an OCI directory, or a directory with a Dockerfile.",
            kind=FILE,
        ),
        "environment": _environment("Variables of the user's process.", "container_environment"),
        "timeout_threshold": Key(
            doc="Seconds of the timeout that are kept free to store outputs.",
            kind=Whole(minimum=0, maximum=LAMBDA_TIMEOUT.most - 1, unit="s"),
            default_doc="10, or half of a timeout below 20",
            # https://github.com/grycap/scar/blob/master/fdl-example.yaml has it with a quote too many.
            aliases=('timeout_threshold"',),
        ),
        "alpine": Key(
            doc="Whether the image uses musl.",
            note="the supervisor runs in every Linux image",
            quiet=("false", "False"),
        ),
        "create_image": Key(
            doc="Whether SCAR builds an image.",
            note="SCAR's supervisor in a prepared image is not used; give its script as 'init_script'",
            quiet=("true", "True"),
        ),
    },
    exactly_one=("image", "image_file"),
)

_LAMBDA = {
    "name": Key(doc="Name of the function.", kind=_FUNCTION_NAME, required=True, link=_CREATE),
    "description": Key(
        doc="Description in the AWS console.",
        kind=Text(what="a description", longest=LAMBDA_DESCRIPTION_CHARACTERS),
        default="Automatically generated lambda function",
        link=_CREATE,
    ),
    "memory": Key(
        doc="Memory in MB.",
        kind=Whole.within(LAMBDA_MEMORY, unit="MB", whose="Lambda's"),
        default=LAMBDA_MEMORY.default,
        link=_LIMITS,
    ),
    "timeout": Key(
        doc="Seconds after which an invocation is stopped.",
        kind=Whole.within(LAMBDA_TIMEOUT, unit="s", whose="Lambda's"),
        default=LAMBDA_TIMEOUT.default,
        link=_LIMITS,
    ),
    "ephemeral_storage": Key(
        doc="Size of /tmp.",
        kind=Section(
            inline=True,
            keys={
                "Size": Key(
                    doc="Size in MB.",
                    kind=Whole.within(LAMBDA_EPHEMERAL_STORAGE, unit="MB", whose="Lambda's"),
                    default=LAMBDA_EPHEMERAL_STORAGE.default,
                    field="ephemeral_storage",
                    link=_LIMITS,
                ),
            },
            shorthand="Size",
        ),
    ),
    "architectures": Key(
        doc="Instruction set of the image, a list of one.",
        kind=Items(of=Choice(values=LAMBDA_ARCHITECTURES), least=1, most=1),
        default=LAMBDA_ARCHITECTURES[:1],
        field="architecture",
    ),
    "execution_mode": Key(
        doc="Where events run: in Lambda, in AWS Batch, or in Lambda first and in Batch if the time is not enough.",
        kind=Choice(values=("lambda", "lambda-batch", "batch")),
        default="lambda",
    ),
    "log_level": Key(
        doc="Level of the supervisor's log lines.",
        kind=Choice(values=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), fold=True),
        default="INFO",
    ),
    "log_format": Key(
        doc="Format of the supervisor's log lines.",
        kind=Choice(values=("text", "json"), fold=True),
        default="text",
    ),
    "file_stage_in": Key(
        doc="Whether input files stay where they are, for the script to fetch.", kind=Flag(), default=False
    ),
    "init_script": Key(doc="Script that runs for each event.", kind=FILE, default_doc="what the image itself starts"),
    "environment": _environment("Variables of the Lambda function."),
    "container": Key(doc="The image and its process.", kind=_CONTAINER, required=True),
    "input": storage_list("Places whose new files start the function."),
    "output": storage_list("Places where result files go."),
    "allow_loop": Key(
        doc="Whether outputs of this function may start it again, directly or through other functions.",
        kind=Flag(),
        default=False,
    ),
    "vpc": Key(
        doc="Network that the function is attached to.",
        kind=Section(
            makes=Vpc,
            keys={
                "SubnetIds": Key(doc="Subnets.", kind=SUBNETS, field="subnet_ids"),
                "SecurityGroupIds": Key(doc="Security groups.", kind=SECURITY_GROUPS, field="security_group_ids"),
            },
            together=("SubnetIds", "SecurityGroupIds"),
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html",
    ),
    "file_system": Key(
        doc="EFS access point to mount, a list of one; it needs a VPC.",
        kind=Items(
            of=Section(
                makes=FileSystem,
                keys={
                    "Arn": Key(doc="ARN of the access point.", kind=ACCESS_POINT, field="arn", required=True),
                    "LocalMountPath": Key(
                        doc="Path below /mnt.", kind=MOUNT_PATH, field="local_mount_path", required=True
                    ),
                },
            ),
            most=1,
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html",
    ),
    "tags": Key(
        doc="AWS tags of everything that belongs to the function.",
        kind=Table(names=_TAG_NAME, of=_TAG_VALUE, most=50),
        link=_TAGS,
    ),
    "region": Key(doc="AWS region of the function.", kind=REGION, default_doc="the stack's region"),
}

_INVOKING = "a call itself says how to invoke: `scar-pulumi invoke` and `run` have options for it"
_LAMBDA_WITHOUT_EFFECT = {
    "runtime": Key(doc="Kind of package in SCAR.", note="every function is an image here", quiet=("image",)),
    "layers": Key(doc="Layers of zip packages.", note="container images have no Lambda layers"),
    "handler": Key(doc="Handler of zip packages.", note="every function is an image here"),
    "deployment": Key(doc="Upload of zip packages.", note="images go through the image repository"),
    "supervisor": Key(doc="Version of SCAR's supervisor.", note="scar-pulumi brings a supervisor of its own"),
    "boto_profile": PROFILE,
    "run_script": Key(doc="Script of `scar run`.", note="it is not deployed: only SCAR's 'run' reads it"),
    "invocation_type": Key(doc="Option of `scar run`.", note=_INVOKING),
    "asynchronous": Key(doc="Option of `scar run`.", note=_INVOKING),
    "log_type": Key(doc="Option of `scar run`.", note=_INVOKING),
    "extra_payload": Key(doc="Files of zip packages.", note="put the files into the image itself"),
    "isolation_level": Key(doc="Key of OSCAR services.", note="only services on OSCAR clusters isolate users"),
    "bucket_list": Key(doc="Key of OSCAR services.", note="only services on OSCAR clusters isolate users"),
    "config_path": Key(doc="Path of SCAR's client.", note="only SCAR's client reads it", quiet=("",)),
    "preheat": Key(doc="Whether SCAR invokes the function once.", note="deploying invokes nothing"),
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
    return Key(doc=doc, kind=Whole(minimum=0, maximum=100_000), default=default, field=field, link=_COMPUTE)


_COMPUTE_RESOURCES = Section(
    makes=ComputeResources,
    keys={
        "type": Key(
            doc="Kind of capacity.",
            kind=Choice(values=("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")),
            default="EC2",
            link=_COMPUTE,
        ),
        "min_v_cpus": _vcpus("vCPUs that run even without jobs.", default=0, field="min_vcpus"),
        "desired_v_cpus": _vcpus("vCPUs to start with.", default=0, field="desired_vcpus"),
        "max_v_cpus": _vcpus("Most vCPUs at once.", default=2, field="max_vcpus"),
        "instance_types": Key(
            doc="Instance types or families, or optimal.",
            kind=Items(of=_INSTANCE_TYPE, least=1),
            default=("m3.medium",),
            link=_COMPUTE,
        ),
        "subnets": Key(
            doc="Subnets of the instances.",
            kind=Items(of=Text(what="a subnet"), most=16),
            default=(),
            default_doc="those of the default VPC",
            field="subnet_ids",
            link=_COMPUTE,
        ),
        "security_group_ids": Key(
            doc="Security groups of the instances.",
            kind=Items(of=Text(what="a security group")),
            default=(),
            default_doc="the default one of the VPC",
            link=_COMPUTE,
        ),
        "instance_role": Key(
            doc="Instance profile of the instances.", kind=_ARN, default_doc="a generated one", link=_COMPUTE
        ),
        "launch_template_name": Key(
            doc="SCAR's launch template.",
            note="instances need no launch template: the supervisor is in the image",
            quiet=("faas-supervisor",),
        ),
    },
)

_MULTI_NODE_PARALLEL = Section(
    makes=MultiNodeParallel,
    keys={
        "enabled": Key(doc="Whether a job runs on several nodes.", kind=Flag(), default=False, aliases=("enable",)),
        "number_nodes": Key(
            doc="Nodes of a job.", kind=Whole.within(BATCH_NODES, whose="Batch's"), default=10, link=_NODES
        ),
        "main_node_index": Key(
            doc="Index of the main node, from 0.",
            kind=Whole(minimum=0, maximum=BATCH_NODES.most - 1, whose="Batch's"),
            default=0,
            link=_NODES,
        ),
    },
)

_BATCH = Section(
    makes=Batch,
    keys={
        "vcpus": Key(
            doc="vCPUs of a job.",
            kind=Whole.within(BATCH_VCPUS, whose="Batch's"),
            default=BATCH_VCPUS.default,
            link=_JOB,
        ),
        "memory": Key(
            doc="Memory of a job in MB.",
            kind=Whole.within(BATCH_MEMORY, unit="MB", whose="Batch's"),
            default=BATCH_MEMORY.default,
            link=_JOB,
        ),
        "enable_gpu": Key(doc="Whether a job gets a GPU.", kind=Flag(), default=False),
        "environment": _environment("Variables of the job; those of the container win over them."),
        "multi_node_parallel": Key(doc="Jobs on several nodes.", kind=_MULTI_NODE_PARALLEL, link=_NODES),
        "compute_resources": Key(doc="What jobs run on.", kind=_COMPUTE_RESOURCES),
        "state": Key(
            doc="Whether the queue accepts jobs.", kind=Choice(values=("ENABLED", "DISABLED")), default="ENABLED"
        ),
        "type": Key(doc="Who runs the instances.", kind=Choice(values=("MANAGED", "UNMANAGED")), default="MANAGED"),
        "service_role": Key(doc="Role of the Batch service.", kind=_ARN, default_doc="AWS's service-linked role"),
        "region": Key(doc="Region of the environment: always the function's.", kind=REGION, unused=True),
        "boto_profile": PROFILE,
    },
)

_IAM = Section(
    inline=True,
    keys={
        "role": Key(
            doc="ARN of the execution role.",
            kind=ROLE,
            default_doc="a generated role with the least rights",
            link=f"{_CREATE}#lambda-CreateFunction-request-Role",
        ),
        "boto_profile": PROFILE,
        "account_id": Key(doc="Account of SCAR's role.", note="the account is the one that the stack deploys to"),
    },
)

_CLOUDWATCH = Section(
    inline=True,
    keys={
        "region": Key(doc="Region of the logs: always the function's.", kind=REGION, unused=True),
        "log_retention_policy_in_days": Key(
            doc="Days that log lines are kept.",
            kind=Choice(values=LOG_RETENTION_CHOICES),
            default=LOG_RETENTION_DAYS,
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
            doc="Whether `scar rm` deletes the image.",
            note="the image repository belongs to the stack and is destroyed with it",
            quiet=("true", "True"),
        ),
    },
)

AWS_FUNCTION = Section(
    makes=Function,
    keys={
        "lambda": Key(
            doc="The function.", kind=Section(inline=True, keys={**_LAMBDA, **_LAMBDA_WITHOUT_EFFECT}), required=True
        ),
        "iam": Key(doc="Its permissions.", kind=_IAM),
        "cloudwatch": Key(doc="Its logs.", kind=_CLOUDWATCH),
        "ecr": Key(doc="Its image repository.", kind=_ECR),
        "s3": Key(
            doc="SCAR's S3 client: region, boto_profile, event.",
            note="buckets are used with the stack's own credentials and region",
        ),
        "api_gateway": Key(doc="Its HTTP endpoint.", kind=API_GATEWAY),
        "batch": Key(doc="AWS Batch, for the execution modes that use it.", kind=_BATCH),
    },
)
