"""Kinds for names that AWS gives: ARNs, subnets, security groups."""

from scar_pulumi.fdl._kinds import Items, Rule, Text

# SCAR's own configuration file leaves the account open like this.
_ACCOUNT = r"(?:[0-9]{12}|\{account_id\})"
_PATH = r"[a-zA-Z0-9+=,.@\-_/]+"

ROLE = Text(
    what="a role's ARN",
    optional=True,
    rules=(
        Rule(
            r"^arn:aws[a-z-]*:iam::[0-9]*:user/", "is a user, not a role", "give the ARN of a role, or remove it", True
        ),
        Rule(
            rf"arn:aws[a-zA-Z-]*:iam::[0-9]{{12}}:role/{_PATH}",
            "is not the ARN of an IAM role",
            "write arn:aws:iam::123456789012:role/name, or remove it to have a role generated",
        ),
    ),
)

# Looked into only where Batch is used: SCAR's example files leave them as "arn:...".
BATCH_ROLE = Rule(
    rf"arn:aws[a-zA-Z-]*:iam::{_ACCOUNT}:role/{_PATH}",
    "is not the ARN of an IAM role",
    "write arn:aws:iam::123456789012:role/name, or remove it",
)
INSTANCE_ROLE = Rule(
    rf"(?:arn:aws[a-zA-Z-]*:iam::{_ACCOUNT}:instance-profile/)?{_PATH}",
    "is not the ARN of an instance profile",
    "write arn:aws:iam::123456789012:instance-profile/name, or remove it",
)
SUBNET = Rule(r"subnet-[0-9a-f]+", "is not the id of a subnet", "write it like subnet-0123456789abcdef0")
SECURITY_GROUP = Rule(r"sg-[0-9a-f]+", "is not the id of a security group", "write it like sg-0123456789abcdef0")

# https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html
SUBNETS = Items(of=Text(what="a subnet", rules=(SUBNET,)), least=1, most=16)
SECURITY_GROUPS = Items(of=Text(what="a security group", rules=(SECURITY_GROUP,)), least=1, most=5)

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
    longest=160,
    rules=(
        Rule(r"/mnt/[a-zA-Z0-9\-_.]+", "is not a path that Lambda mounts file systems at", "write it like /mnt/data"),
    ),
)
