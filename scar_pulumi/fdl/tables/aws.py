"""One element of `functions.aws`, except its `lambda` section."""

from scar_pulumi.fdl._kinds import Choice, Key, Section
from scar_pulumi.fdl.tables.api_gateway import API_GATEWAY
from scar_pulumi.fdl.tables.aws_names import ROLE
from scar_pulumi.fdl.tables.batch import BATCH
from scar_pulumi.fdl.tables.lambda_section import LAMBDA
from scar_pulumi.fdl.tables.names import CREDENTIALS_NOTE, REGION

_API = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html#lambda-CreateFunction-request-Role"
_RETENTION = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"

_PROFILE = Key(doc="Profile of SCAR's AWS client.", note=CREDENTIALS_NOTE, quiet=("default",))

IAM = Section(
    keys={
        "role": Key(
            doc="ARN of the execution role; without it one with least rights is generated.", kind=ROLE, link=_API
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
