"""The section `lambda` of a function."""

from scar_pulumi.fdl._kinds import Choice, Flag, Items, Key, Rule, Section, Text, Whole
from scar_pulumi.fdl.tables.aws_names import ACCESS_POINT, MOUNT_PATH, SECURITY_GROUPS, SUBNETS
from scar_pulumi.fdl.tables.environment import TAGS, environment
from scar_pulumi.fdl.tables.names import CREDENTIALS_NOTE, IMAGE, REGION
from scar_pulumi.fdl.tables.storage import storage_list

_CREATE = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"

_NAME = Text(
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
_FILE = Text(what="a path", longest=4096, rules=(Rule(r".+", "is no path"),))

CONTAINER = Section(
    keys={
        "image": Key(doc="Registry reference of the image.", kind=IMAGE),
        "image_file": Key(
            doc="The image as a file: a docker-save archive, an OCI directory, or a directory with a Dockerfile.",
            kind=_FILE,
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

_SUPPORTED = {
    "name": Key(doc="Name of the function.", kind=_NAME, required=True, link=_CREATE),
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
    "init_script": Key(doc="Script that runs for each event; without it, what the image starts.", kind=_FILE),
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

_WITHOUT_EFFECT = {
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
        **_SUPPORTED,
        **_WITHOUT_EFFECT,
    },
)
