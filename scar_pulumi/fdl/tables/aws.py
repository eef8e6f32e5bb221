"""One element of `functions.aws`: its sections `lambda`, `batch`, `iam`, `cloudwatch` and `ecr`."""

from scar_pulumi.fdl.kinds import Choice, Flag, Items, Key, Rule, Section, Table, Text, Whole
from scar_pulumi.fdl.tables.api_gateway import API_GATEWAY
from scar_pulumi.fdl.tables.names import (
    ACCESS_POINT,
    CREDENTIALS_NOTE,
    IMAGE,
    MOUNT_PATH,
    REGION,
    ROLE,
    SECURITY_GROUPS,
    SUBNETS,
)
from scar_pulumi.fdl.tables.storage import storage_list

VARIABLES_LINK = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"
TAGS_LINK = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"

_VARIABLE_NAME = Text(
    what="a variable's name",
    rules=(
        Rule(
            r"[a-zA-Z][a-zA-Z0-9_]+",
            "is not a name that Lambda accepts for a variable",
            "use two or more letters, digits and '_', with a letter first",
        ),
    ),
)

# The second group is what the supervisor sets anew for each event.
_RESERVED_VARIABLES = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_*"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("SCAR_FUNCTION", "INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR"),
    ),
)


def environment(doc: str) -> Key:
    """A section `environment` with `Variables` in it, as Lambda's own interface has it."""
    return Key(
        doc=doc,
        kind=Section(
            keys={
                "Variables": Key(
                    doc=f"{doc} Numbers and true/false are passed on as written.",
                    kind=Table(
                        names=_VARIABLE_NAME,
                        of=Text(loose=True),
                        reserved=_RESERVED_VARIABLES,
                        reserved_by="Lambda or the supervisor",
                    ),
                    link=VARIABLES_LINK,
                    secret=True,
                ),
            },
            unknown_hint="variables are listed below 'Variables:'",
        ),
    )


_TAG_CHARACTERS = Rule(
    r"[\w\s.:/=+\-@]*",
    "has characters that AWS refuses in tags",
    "use letters, digits, spaces and _ . : / = + - @",
)

TAGS = Key(
    doc="AWS tags of everything that belongs to the function.",
    kind=Table(
        names=Text(
            what="a tag's name",
            longest=128,
            rules=(Rule(r"^[aA][wW][sS]:", "starts with 'aws:', which AWS reserves", None, True), _TAG_CHARACTERS),
        ),
        of=Text(what="a tag's value", longest=256, rules=(_TAG_CHARACTERS,), loose=True),
        most=50,
    ),
    link=TAGS_LINK,
)


_CREATE = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"

_FUNCTION_NAME = Text(
    what="a function name",
    longest=64,
    rules=(
        Rule(r"^arn:", "is an ARN", "give the bare name", True),
        Rule(
            r"[a-zA-Z0-9_-]+",
            "is not a name that Lambda accepts for a function",
            "use letters, digits, '-' and '_'",
        ),
    ),
)
_PATH = Text(what="a path", longest=4096, rules=(Rule(r".+", "is no path"),))

CONTAINER = Section(
    keys={
        "image": Key(doc="Registry reference of the image.", kind=IMAGE),
        "image_file": Key(
            doc="The image as a file: a docker-save archive, an OCI directory, or a directory with a Dockerfile.",
            kind=_PATH,
        ),
        "environment": environment("Variables of the user's process."),
        "timeout_threshold": Key(
            doc="Seconds of the timeout that are kept for storing outputs; 10, or half of a timeout below 20.",
            kind=Whole(minimum=0, maximum=899, unit="s"),
            # https://github.com/grycap/scar/blob/master/fdl-example.yaml has it with a quote too many.
            aliases=('timeout_threshold"',),
        ),
        "alpine": Key(
            doc="Image with musl.", note="the supervisor runs in every Linux image", quiet=("false", "False")
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
        doc="Shown in AWS's console.",
        kind=Text(what="a description", longest=256),
        default="Automatically generated lambda function",
        link=_CREATE,
    ),
    "memory": Key(
        doc="Memory in MB.",
        kind=Whole(minimum=128, maximum=10240, unit="MB", whose="Lambda's"),
        default=512,
        link=_LIMITS,
    ),
    "timeout": Key(
        doc="Seconds until an invocation is stopped.",
        kind=Whole(minimum=1, maximum=900, unit="s", whose="Lambda's"),
        default=300,
        link=_LIMITS,
    ),
    "ephemeral_storage": Key(
        doc="Size of /tmp.",
        kind=Section(
            keys={
                "Size": Key(
                    doc="In MB.",
                    kind=Whole(minimum=512, maximum=10240, unit="MB", whose="Lambda's"),
                    default=512,
                    link=_LIMITS,
                ),
            },
            shorthand="Size",
        ),
    ),
    "architectures": Key(
        doc="Instruction set of the image; one.",
        kind=Items(of=Choice(values=("x86_64", "arm64")), least=1, most=1),
        default=("x86_64",),
    ),
    "execution_mode": Key(
        doc="Where events run: in Lambda, in AWS Batch, or in Batch what Lambda has no time for.",
        kind=Choice(values=("lambda", "lambda-batch", "batch")),
        default="lambda",
    ),
    "log_level": Key(
        doc="Level of the supervisor's log lines.",
        kind=Choice(values=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), fold=True),
        default="INFO",
    ),
    "log_format": Key(
        doc="Whether the supervisor's log lines are text or JSON.",
        kind=Choice(values=("text", "json"), fold=True),
        default="text",
    ),
    "file_stage_in": Key(
        doc="Whether input files are left where they are, for the script to fetch.", kind=Flag(), default=False
    ),
    "init_script": Key(doc="Script that runs for each event; without it, what the image starts.", kind=_PATH),
    "environment": environment("Variables of the Lambda function."),
    "container": Key(doc="The image.", kind=CONTAINER, required=True),
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
            keys={
                "SubnetIds": Key(doc="Its subnets.", kind=SUBNETS),
                "SecurityGroupIds": Key(doc="Its security groups.", kind=SECURITY_GROUPS),
            },
            together=("SubnetIds", "SecurityGroupIds"),
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html",
    ),
    "file_system": Key(
        doc="EFS access point to mount; one, and only in a VPC.",
        kind=Items(
            of=Section(
                keys={
                    "Arn": Key(doc="ARN of the access point.", kind=ACCESS_POINT, required=True),
                    "LocalMountPath": Key(doc="Where it is mounted, below /mnt.", kind=MOUNT_PATH, required=True),
                },
            ),
            most=1,
        ),
        link="https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html",
    ),
    "tags": TAGS,
    "region": Key(doc="Region of the function; without it, the stack's.", kind=REGION),
}

_LAMBDA_WITHOUT_EFFECT = {
    "runtime": Key(doc="SCAR's kind of package.", note="every function is an image here", quiet=("image",)),
    "layers": Key(doc="Layers of zip packages.", note="images have no layers of Lambda's"),
    "handler": Key(doc="Handler of zip packages.", note="every function is an image here"),
    "deployment": Key(doc="Upload of zip packages.", note="images go through the image repository"),
    "supervisor": Key(doc="SCAR's supervisor.", note="the supervisor comes with scar-pulumi, in its own version"),
    "boto_profile": Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",)),
    "run_script": Key(doc="Script of `scar run`.", note="is not deployed: only SCAR's 'run' reads it"),
    "invocation_type": Key(doc="Of `scar run`.", note="how to invoke is said when invoking"),
    "asynchronous": Key(doc="Of `scar run`.", note="how to invoke is said when invoking"),
    "log_type": Key(doc="Of `scar run`.", note="how to invoke is said when invoking"),
    "extra_payload": Key(doc="Files of zip packages.", note="put the files into the image itself"),
    "isolation_level": Key(doc="Of OSCAR.", note="only services on OSCAR clusters isolate users"),
    "bucket_list": Key(doc="Of OSCAR.", note="only services on OSCAR clusters isolate users"),
    "config_path": Key(doc="Of SCAR.", note="only SCAR's client reads it", quiet=("",)),
    "preheat": Key(doc="One invocation after the deployment.", note="nothing is invoked when deploying"),
}

LAMBDA = Section(
    keys={
        **_LAMBDA,
        **_LAMBDA_WITHOUT_EFFECT,
    },
)


_COMPUTE = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html"
_JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html"
_NODES = "https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html"

_V_CPUS = Whole(minimum=0, maximum=100_000, whose="the")
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
_BATCH_ROLE = Text(what="an ARN", optional=True)

COMPUTE_RESOURCES = Section(
    keys={
        "type": Key(
            doc="What kind of capacity.",
            kind=Choice(values=("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")),
            default="EC2",
            link=_COMPUTE,
        ),
        "min_v_cpus": Key(doc="vCPUs that run even without jobs.", kind=_V_CPUS, default=0, link=_COMPUTE),
        "desired_v_cpus": Key(doc="vCPUs to start with.", kind=_V_CPUS, default=0, link=_COMPUTE),
        "max_v_cpus": Key(doc="Most vCPUs at once.", kind=_V_CPUS, default=2, link=_COMPUTE),
        "instance_types": Key(
            doc="Instance types or families, or optimal.",
            kind=Items(of=_INSTANCE_TYPE, least=1),
            default=("m3.medium",),
            link=_COMPUTE,
        ),
        "subnets": Key(
            doc="Subnets of the instances.", kind=Items(of=Text(what="a subnet"), most=16), default=(), link=_COMPUTE
        ),
        "security_group_ids": Key(
            doc="Security groups of the instances.",
            kind=Items(of=Text(what="a security group")),
            default=(),
            link=_COMPUTE,
        ),
        "instance_role": Key(
            doc="Instance profile of the instances; without it one is generated.", kind=_BATCH_ROLE, link=_COMPUTE
        ),
        "launch_template_name": Key(
            doc="Launch template of SCAR's.",
            note="instances need no launch template: the supervisor is in the image",
            quiet=("faas-supervisor",),
        ),
    },
)

MULTI_NODE_PARALLEL = Section(
    keys={
        "enabled": Key(doc="Whether a job runs on several nodes.", kind=Flag(), default=False, aliases=("enable",)),
        "number_nodes": Key(
            doc="Nodes of a job.", kind=Whole(minimum=1, maximum=1000, whose="Batch's"), default=10, link=_NODES
        ),
        "main_node_index": Key(
            doc="Which of them is the main node, from 0.",
            kind=Whole(minimum=0, maximum=999, whose="Batch's"),
            default=0,
            link=_NODES,
        ),
    },
)

BATCH = Section(
    keys={
        "vcpus": Key(doc="vCPUs of a job.", kind=Whole(minimum=1, maximum=1000, whose="Batch's"), default=1, link=_JOB),
        "memory": Key(
            doc="Memory of a job in MB.",
            kind=Whole(minimum=4, maximum=25_000_000, unit="MB", whose="Batch's"),
            default=1024,
            link=_JOB,
        ),
        "enable_gpu": Key(doc="Whether a job gets a GPU.", kind=Flag(), default=False),
        "environment": environment("Variables of the job's container, below the container's own."),
        "multi_node_parallel": Key(doc="Jobs on several nodes.", kind=MULTI_NODE_PARALLEL, link=_NODES),
        "compute_resources": Key(doc="What the jobs run on.", kind=COMPUTE_RESOURCES),
        "state": Key(
            doc="Whether the queue takes jobs.", kind=Choice(values=("ENABLED", "DISABLED")), default="ENABLED"
        ),
        "type": Key(doc="Who runs the instances.", kind=Choice(values=("MANAGED", "UNMANAGED")), default="MANAGED"),
        "service_role": Key(doc="Role of the Batch service; without it AWS's own is used.", kind=_BATCH_ROLE),
        "region": Key(doc="Region of the environment: always that of the function.", kind=REGION),
        "boto_profile": Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",)),
    },
)


_ROLE = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html#lambda-CreateFunction-request-Role"
_RETENTION = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"

_PROFILE = Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",))

IAM = Section(
    keys={
        "role": Key(
            doc="ARN of the execution role; without it one with least rights is generated.", kind=ROLE, link=_ROLE
        ),
        "boto_profile": _PROFILE,
        "account_id": Key(doc="Account of SCAR's role.", note="the account is the one that the stack deploys to"),
    },
)

CLOUDWATCH = Section(
    keys={
        "region": Key(doc="Region of the logs: always that of the function.", kind=REGION),
        "log_retention_policy_in_days": Key(
            doc="Days that log lines are kept.",
            kind=Choice(
                values=(
                    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
                    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
                ),
            ),
            default=30,
            link=_RETENTION,
        ),
        "boto_profile": _PROFILE,
    },
)

ECR = Section(
    keys={
        "delete_image": Key(
            doc="Whether SCAR's `rm` deletes the image.",
            note="the image repository belongs to the stack and goes with it",
            quiet=("true", "True"),
        ),
    },
)

AWS_FUNCTION = Section(
    keys={
        "lambda": Key(doc="The function.", kind=LAMBDA, required=True),
        "iam": Key(doc="Its rights.", kind=IAM),
        "cloudwatch": Key(doc="Its logs.", kind=CLOUDWATCH),
        "ecr": Key(doc="Its image repository.", kind=ECR),
        "s3": Key(
            doc="SCAR's S3 client: region, boto_profile, event.",
            note="buckets are used with the stack's own credentials and region",
        ),
        "api_gateway": Key(doc="An HTTP endpoint.", kind=API_GATEWAY),
        "batch": Key(doc="AWS Batch, for the execution modes that use it.", kind=BATCH),
    },
)
