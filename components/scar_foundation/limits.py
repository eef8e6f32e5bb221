"""Limits and defaults of AWS, and the defaults of this project: each once, with the page that states it.

Sizes are bytes and durations are seconds unless the name or the comment says otherwise.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
UNLIMITED = 2**31 - 1
"""End of a range without a limit."""


@dataclass(frozen=True)
class Range:
    """The whole numbers that a setting takes, and the one that it has by default."""

    least: int
    most: int
    default: int | None = None

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.least <= value <= self.most

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most == UNLIMITED else f"{self.least} to {self.most}"


# Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_MEMORY = Range(128, 10_240, default=512)
"""MB."""
LAMBDA_TIMEOUT = Range(1, 900, default=300)
LAMBDA_EPHEMERAL_STORAGE = Range(512, 10_240, default=512)
"""Size of `/tmp` in MB."""
LAMBDA_ENVIRONMENT_BYTES = 4 * KIB
"""All environment variables of a function together, as JSON."""
LAMBDA_PAYLOAD_BYTES = 6 * MIB
"""Input or result of a synchronous invocation."""
LAMBDA_ASYNC_PAYLOAD_BYTES = 1 * MIB
"""Input of an asynchronous invocation."""
LAMBDA_IMAGE_BYTES = 10 * GIB
"""An image with all layers uncompressed."""
LAMBDA_POLICY_BYTES = 20 * KIB
"""All permissions of a function together: who may invoke it."""
LAMBDA_CONCURRENCY = 1000
"""Calls at once of an account in a region; new accounts begin with fewer."""
# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
LAMBDA_STATEMENT_ID_CHARACTERS = 100
LAMBDA_STATEMENT_ID_PATTERN = r"[a-zA-Z0-9_-]+"
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
LAMBDA_NAME_CHARACTERS = 64
LAMBDA_NAME_PATTERN = r"[a-zA-Z0-9_-]+"
LAMBDA_DESCRIPTION_CHARACTERS = 256
LAMBDA_ARCHITECTURES = ("x86_64", "arm64")
"""The first one is the default."""
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
LAMBDA_TAGS = 50
# https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html
LAMBDA_SUBNETS = Range(1, 16)
LAMBDA_SECURITY_GROUPS = Range(1, 5)
# https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
LAMBDA_MOUNT_PATH_CHARACTERS = 160
LAMBDA_MOUNT_PATH_PATTERN = r"/mnt/[a-zA-Z0-9\-_.]+"
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
LAMBDA_RETRY_ATTEMPTS = Range(0, 2, default=2)
LAMBDA_EVENT_AGE = Range(60, 21_600, default=21_600)

# API Gateway's HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
HTTP_API_TIMEOUT = 30
"""Seconds until a call is answered with 504. (REST APIs wait for 29.)"""
HTTP_API_PAYLOAD_BYTES = 10 * MIB
HTTP_API_HEADER_BYTES = 10_240
HTTP_API_AUDIENCES = 50
"""Audiences of one authorizer."""
HTTP_API_SCOPES = 10
"""Scopes of one route."""
HTTP_API_MEMBERS = {"authorizers": 10, "integrations": 300, "routes": 300, "stages": 10}
"""How many of each an API has; an account can have more routes, stages and authorizers."""
HTTP_API_STAGE = "scar"
"""Default of this project."""
HTTP_API_PATH = "{proxy+}"
"""Default of this project: every path."""

# AWS Batch: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
BATCH_REQUEST_BYTES = 30 * KIB
"""A SubmitJob request."""
BATCH_DEFINITION_BYTES = 24 * KIB
"""A RegisterJobDefinition request."""
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
BATCH_OVERRIDES_CHARACTERS = 8192
"""All overrides of a job together, as JSON and with Batch's own. ECS fails the job after Batch has accepted it."""
BATCH_ARRAY_SIZE = Range(2, 10_000)
BATCH_DEPENDENCIES = 20
"""Jobs that one job waits for."""
BATCH_TAGS = 50
# https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateJobQueue.html
BATCH_NAME_CHARACTERS = 128
BATCH_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]*"
"""Names of environments, queues, job definitions and jobs."""
BATCH_QUEUE_ENVIRONMENTS = Range(1, 3)
# https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
BATCH_PAGE = Range(1, 100, default=100)
"""Items that one request lists or describes."""
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
BATCH_VCPUS = Range(1, 1000, default=1)
BATCH_MEMORY = Range(4, 25_000_000, default=1024)
"""MB of a job on instances."""
BATCH_FARGATE_MEMORY = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4097, 1024)),
    1: tuple(range(2048, 8193, 1024)),
    2: tuple(range(4096, 16385, 1024)),
    4: tuple(range(8192, 30721, 1024)),
    8: tuple(range(16384, 61441, 4096)),
    16: tuple(range(32768, 122881, 8192)),
}
"""MB that a job on Fargate may have, by its vCPUs."""
BATCH_FARGATE_DEFAULT_MEMORY = 2048
# https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html
BATCH_NODES = Range(1, 1000)
# https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
BATCH_ATTEMPTS = Range(1, 10, default=1)
BATCH_EXIT_CONDITIONS = 5
"""Entries of `evaluateOnExit`."""
# https://docs.aws.amazon.com/batch/latest/APIReference/API_JobTimeout.html
BATCH_TIMEOUT = Range(60, UNLIMITED)
"""Seconds of an attempt; without one, there is no limit."""
# https://docs.aws.amazon.com/batch/latest/APIReference/API_EphemeralStorage.html
BATCH_EPHEMERAL_STORAGE = Range(21, 200, default=20)
"""GiB of a job on Fargate; the default cannot be asked for."""

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/accelerated-computing-instances.html
GPU_INSTANCE_TYPE_PATTERN = r"(?:p|g|gr)[0-9][a-z0-9-]*(?:\.[a-z0-9-]+)?"
"""Instance types and families with GPUs."""

# Step Functions: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
STATES_NAME_CHARACTERS = 80
"""A state machine, an execution or a state."""
STATES_NAME_PATTERN = r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+"
STATES_DEFINITION_BYTES = 1 * MIB
STATES_PAYLOAD_BYTES = 256 * KIB
"""Input or result of a state or an execution, as UTF-8."""
STATES_EVENTS = 25_000
"""Events in the history of one execution."""
STATES_REDRIVES = 1000
"""Redrives of one execution."""
STATES_REDRIVE_DAYS = 14
"""For which an execution that has ended can be redriven."""
STATES_KEPT_DAYS = 90
"""For which an execution that has ended is shown, and its name is taken."""
STATES_PAGE = Range(1, 1000, default=100)
"""Items that one request lists."""
MAP_CONCURRENCY = Range(1, 10_000, default=200)
"""Tasks of a Distributed Map at once; the default is this project's, and leaves most of Lambda's 1,000 to others."""

# MapReduce: limits and defaults of this project
MAPREDUCE_REDUCERS = Range(1, 10_000, default=1)
"""An array of jobs has no more, and neither has a Distributed Map at once."""
MAPREDUCE_SPLIT = Range(1, 10_240, default=64)
"""MB of the input that one map task reads."""
MAPREDUCE_RECORD = Range(1, 1024, default=64)
"""MB that one record may have."""
MAPREDUCE_MEMORY = 1769
"""MB of a task: one whole vCPU. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
MAPREDUCE_NAME_CHARACTERS = LAMBDA_NAME_CHARACTERS - len("-commit")
"""The names of its functions start with its own."""
MAPREDUCE_WORK_DAYS = 7
"""Days after which what the tasks hand to each other is deleted."""
MAPREDUCE_RETRIES = 3
"""How often a task is tried again."""

# EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
EVENT_ATTEMPTS = Range(0, 185, default=185)
"""Retries of a delivery."""
EVENT_AGE = Range(60, 86_400, default=86_400)
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
EVENT_RULE_TARGETS = 5
"""Targets of one rule."""
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
EVENT_ENTRIES_BYTES = 256 * KIB
"""All entries of one PutEvents."""
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
SCHEDULE_NAME_CHARACTERS = 64
SCHEDULE_NAME_PATTERN = r"[0-9a-zA-Z-_.]+"

# CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
LOG_BATCH_EVENTS = 10_000
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
LOG_GROUP_CHARACTERS = 512
LOG_GROUP_PATTERN = r"[A-Za-z0-9._\-/#]+"
LOG_RETENTION_DAYS = 30
"""Default of this project; CloudWatch Logs itself keeps logs for ever."""
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_CHOICES = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Days."""

# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
S3_KEY_BYTES = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
S3_BUCKET_CHARACTERS = 63
S3_BUCKET_PREFIX_CHARACTERS = 37
"""What the aws provider takes before its 26 digits: https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/"""
# https://docs.aws.amazon.com/general/latest/gr/s3.html
S3_NOTIFICATIONS = 100
"""Entries in the notification configuration of one bucket."""
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_FilterRule.html
S3_FILTER_CHARACTERS = 1024
"""The value of one filter, encoded."""

# IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
IAM_ROLE_NAME_CHARACTERS = 64
IAM_NAME_PATTERN = r"[A-Za-z0-9_+=,.@-]+"
"""Names of roles, policies and instance profiles."""
IAM_ROLE_POLICY_CHARACTERS = 10_240
"""All policies in a role together, without white space."""
IAM_MANAGED_POLICY_CHARACTERS = 6144
"""A policy of its own, without white space."""
IAM_TRUST_POLICY_CHARACTERS = 2048
"""Who may assume a role; an account can have the quota raised."""

# Systems Manager's parameters: https://docs.aws.amazon.com/general/latest/gr/ssm.html
SSM_STANDARD_BYTES = 4 * KIB
SSM_ADVANCED_BYTES = 8 * KIB
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
SSM_NAME_CHARACTERS = 1011
SSM_NAME_PATTERN = r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*"
SSM_LEVELS = 15
"""Parts of a name between its slashes."""

# ECR: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
ECR_REPOSITORY_CHARACTERS = Range(2, 256)
ECR_REPOSITORY_PATTERN = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"

# Registries: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html and
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
MANIFEST_BYTES = 4 * MIB
