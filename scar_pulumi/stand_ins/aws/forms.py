"""What a text must look like, where the genuine provider refuses others before it asks AWS.

The tests hold every table against the genuine provider's own verdicts: `tests/stand_ins/genuine`.
"""

import re
from typing import NamedTuple


class Form(NamedTuple):
    """A regular expression for the whole text, and how it is told: "must be <words>"."""

    words: str
    pattern: str

    def fits(self, text: str) -> bool:
        """Return whether a text has this form."""
        return re.fullmatch(self.pattern, text, re.DOTALL) is not None


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_ARN = r"arn:aws[a-z-]*:[\w-]+:[a-z0-9-]*:(?:\d{12}|aws|aws-managed|aws-marketplace|third-party|cw.{10})?:.+"
ARN = Form("an ARN", _ARN)
ARN_OR_NOTHING = Form("an ARN", rf"(?:{_ARN})?")
LOG_GROUP_ARN = Form("the ARN of a log group that ends with :*", r"arn:.+:log-group:.+:\*")
ACCOUNT = Form("the 12 digits of an account", r"\d{12}")
JSON_OBJECT = Form("a JSON object", r"\s*\{.*\}\s*")
JSON_OBJECT_OR_NOTHING = Form("a JSON object", r"\s*(?:\{.*\})?\s*")

# https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateComputeEnvironment.html
BATCH_NAME = Form("letters, digits, '_' and '-', the first no '_' or '-'", r"[0-9A-Za-z][0-9A-Za-z_-]*")
# https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
EXIT_CODE = Form("digits, or digits and '*'", r"\d*\*?")
REASON = Form("letters, digits, '.', ':' and spaces, and '*' at the end", r"[0-9A-Za-z.:\s]*\*?")
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
LOG_GROUP_NAME = Form("letters, digits and '._-/#'", r"[.\-_/#A-Za-z0-9]+")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
LAUNCH_TEMPLATE_NAME = Form("letters, digits and '()./-_'", r"[\w().\-/]+")
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
IAM_NAME = Form("letters, digits and '+=,.@-_'", r"[A-Za-z0-9_+=,.@-]+")
# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
STATEMENT_ID = Form("letters, digits, '_' and '-'", r"[A-Za-z0-9_-]+")
QUALIFIER = Form("a version or an alias", r"[a-zA-Z0-9$_-]+")
LAMBDA_ACTION = Form("'lambda:…' or '*'", r"lambda:\*|lambda:[a-zA-Z]+|\*")
EVENT_SOURCE_TOKEN = Form("letters, digits and '._-'", r"[a-zA-Z0-9._-]+")
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
FUNCTION_NAME = Form(
    "a function's name or ARN", r"(?:arn:aws[a-z-]*:lambda:.*:function:|\d{12}:function:)?[a-zA-Z0-9_-]+"
)
MOUNT_PATH = Form("a folder in /mnt", r"/mnt/[a-zA-Z0-9._-]+")
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
STATE_MACHINE_NAME = Form("letters, digits, '_' and '-'", r"[0-9A-Za-z_-]+")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
QUEUE_NAME = Form("letters, digits, '_' and '-'", r"[0-9A-Za-z_-]+(?:\.fifo)?")
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
EVENT_NAME = Form("letters, digits and '.-_'", r"[.\-_A-Za-z0-9]+")
EVENT_BUS = Form(
    "an event bus's name or ARN", r"(?:arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?[/.\-_A-Za-z0-9]+"
)
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ShareAttributes.html
SHARE = Form("letters and digits, and '*' at the end", r"[A-Za-z0-9]*\*?")
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
MOMENT = Form("a moment such as 2030-01-01T00:00:00Z", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
