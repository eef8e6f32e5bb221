"""What several sections take: names of regions, buckets, images and AWS resources, variables and tags."""

from scar_foundation.limits import (
    LAMBDA_MOUNT_PATH_CHARACTERS,
    LAMBDA_MOUNT_PATH_PATTERN,
    LAMBDA_SECURITY_GROUPS,
    LAMBDA_SUBNETS,
    LAMBDA_TAGS,
)
from scar_pulumi.fdl.kinds import Items, Key, Rule, Section, Table, Text

_VARIABLES = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"

PROFILE = Key(
    "Profile of SCAR's AWS client.",
    note="the stack has the credentials: set aws:profile in its configuration, or AWS_PROFILE",
    quiet=("default",),
)
FILE = Text(what="a path", longest=4096, rules=(Rule(r".+", "is not a path"),), is_file=True)
SCRIPT = Text(
    what="a script",
    rules=(Rule(r".{1,4096}|(?s:.+\n.*)", "is not a path"),),
    is_file=True,
    or_content=True,
)

# https://docs.aws.amazon.com/general/latest/gr/rande.html
REGION = Text(
    what="a region",
    rules=(
        Rule(r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}", "is not the name of an AWS region", "write it like us-east-1"),
    ),
)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = Text(
    what="a bucket name",
    longest=63,
    rules=(
        Rule(r".{3,}", "is too short for a bucket name", "use 3 to 63 characters"),
        Rule(r"[A-Z]", "has upper-case letters, which a bucket name cannot have", "use lower case", True),
        Rule(r"_", "has an underscore, which a bucket name cannot have", "use '-'", True),
        Rule(
            r"[^a-z0-9.-]",
            "is not a bucket name",
            "use lower-case letters, digits, '-' and '.'; the bucket is everything before the first '/'",
            True,
        ),
        Rule(r"^[.-]|[.-]$", "does not start and end with a letter or digit, as a bucket name must", None, True),
        Rule(r"\.\.", "has two dots in a row, which a bucket name cannot have", None, True),
        Rule(r"^[0-9]+(?:\.[0-9]+){3}$", "looks like an IP address, which a bucket name cannot be", None, True),
        Rule(
            r"^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$",
            "has a start or an end that S3 reserves",
            "choose another bucket name",
            True,
        ),
    ),
)

# The grammar of https://pkg.go.dev/github.com/distribution/reference
_REGISTRY = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?/)?"
_REPOSITORY = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
IMAGE = Text(
    what="an image reference",
    longest=1024,
    rules=(
        Rule(r"^[a-z]+://", "starts with a URL scheme", "write registry/name:tag without it", True),
        Rule(r"\s", "contains a space", "write registry/name:tag", True),
        Rule(
            r"\.(?:tar|tar\.gz|tgz|tar\.xz)$",
            "looks like the name of an archive",
            "give archives as 'image_file'",
            True,
        ),
        Rule(
            rf"{_REGISTRY}{_REPOSITORY}(?:/{_REPOSITORY})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{{32,}})?",
            "is not an image reference",
            "write it like debian:12 or registry.example.org/group/name:tag; names are lower case",
        ),
    ),
)


# SCAR's own configuration file writes the account as {account_id}.
_ACCOUNT = r"(?:[0-9]{12}|\{account_id\})"
_IAM_PATH = r"[a-zA-Z0-9+=,.@\-_/]+"

ROLE = Text(
    what="a role's ARN",
    optional=True,
    rules=(
        Rule(
            r"^arn:aws[a-z-]*:iam::[0-9]*:user/", "is a user, not a role", "give the ARN of a role, or remove it", True
        ),
        Rule(
            rf"arn:aws[a-zA-Z-]*:iam::[0-9]{{12}}:role/{_IAM_PATH}",
            "is not the ARN of an IAM role",
            "write arn:aws:iam::123456789012:role/name, or remove it to have a role generated",
        ),
    ),
)

DESTINATION = Text(
    what="an ARN",
    rules=(
        Rule(
            r"arn:aws[a-zA-Z-]*:(?:s3:::[^/]+|(?:events|lambda|sns|sqs):[a-z0-9-]+:[0-9]{12}:.+)",
            "is not the ARN of a bucket, queue, topic, bus or function",
            "write it like arn:aws:s3:::my-failures",
        ),
    ),
)

# Checked only where Batch is used: SCAR's example files leave them as "arn:...".
BATCH_ROLE = Rule(
    rf"arn:aws[a-zA-Z-]*:iam::{_ACCOUNT}:role/{_IAM_PATH}",
    "is not the ARN of an IAM role",
    "write arn:aws:iam::123456789012:role/name, or remove it",
)
INSTANCE_ROLE = Rule(
    rf"(?:arn:aws[a-zA-Z-]*:iam::{_ACCOUNT}:instance-profile/)?{_IAM_PATH}",
    "is not the ARN of an instance profile",
    "write arn:aws:iam::123456789012:instance-profile/name, or remove it",
)
SUBNET = Rule(r"subnet-[0-9a-f]+", "is not the id of a subnet", "write it like subnet-0123456789abcdef0")
SECURITY_GROUP = Rule(r"sg-[0-9a-f]+", "is not the id of a security group", "write it like sg-0123456789abcdef0")

SUBNETS = Items(Text(what="a subnet", rules=(SUBNET,)), least=LAMBDA_SUBNETS.least, most=LAMBDA_SUBNETS.most)
SECURITY_GROUPS = Items(
    Text(what="a security group", rules=(SECURITY_GROUP,)),
    least=LAMBDA_SECURITY_GROUPS.least,
    most=LAMBDA_SECURITY_GROUPS.most,
)

# https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
ACCESS_POINT = Text(
    what="an access point's ARN",
    rules=(
        Rule(
            r"arn:aws[a-zA-Z-]*:elasticfilesystem:[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}:[0-9]{12}"
            r":access-point/fsap-[a-f0-9]{17}",
            "is not the ARN of an EFS access point",
            "write arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
        ),
    ),
)
MOUNT_PATH = Text(
    what="a mount path",
    longest=LAMBDA_MOUNT_PATH_CHARACTERS,
    rules=(
        Rule(LAMBDA_MOUNT_PATH_PATTERN, "is not a path where Lambda mounts file systems", "write it like /mnt/data"),
    ),
)

VARIABLE_OF_LAMBDA = Rule(
    r"[a-zA-Z][a-zA-Z0-9_]+",
    "is not a name that Lambda accepts for a variable",
    "use two or more letters, digits and '_', with a letter first",
)
_VARIABLE_OF_PROCESS = Rule(r"[^=\0]+", "is not a name for a variable", "use letters, digits and '_'")

RESERVED_BY_LAMBDA = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_*"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    )
)
# Of those of Lambda, the supervisor gives jobs these two.
_RESERVED_BY_SUPERVISOR = frozenset(
    ("SCAR_FUNCTION", "INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "AWS_LAMBDA_*", "AWS_REGION")
)


def environment(doc: str, field: str = "environment", *, of_lambda: bool = False) -> Key:
    """Return a section `environment` with `Variables` in it, as Lambda's own API has it.

    What Lambda asks of the container's variables depends on the execution mode: see rules/functions.py.
    """
    variables = Key(
        "Names and values; numbers and true/false are passed on as written.",
        Table(
            names=Text(what="a variable name", rules=(VARIABLE_OF_LAMBDA if of_lambda else _VARIABLE_OF_PROCESS,)),
            of=Text(loose=True),
            reserved=_RESERVED_BY_SUPERVISOR | (RESERVED_BY_LAMBDA if of_lambda else frozenset()),
            reserved_by="Lambda or the supervisor",
        ),
        field=field,
        link=_VARIABLES,
        secret=True,
    )
    hint = "list variables below 'Variables:'"
    return Key(doc, Section(keys={"Variables": variables}, inline=True, unknown_hint=hint))


_TAG_CHARACTERS = Rule(
    r"[\w\s.:/=+\-@]*", "has characters that AWS refuses in tags", "use letters, digits, spaces and _ . : / = + - @"
)
_TAG_NAME = Text(
    what="a tag name",
    longest=128,
    rules=(Rule(r"^[aA][wW][sS]:", "starts with 'aws:', which AWS reserves", None, True), _TAG_CHARACTERS),
)
_TAG_VALUE = Text(what="a tag value", longest=256, rules=(_TAG_CHARACTERS,), loose=True)
TAGS = Table(names=_TAG_NAME, of=_TAG_VALUE, most=LAMBDA_TAGS)
