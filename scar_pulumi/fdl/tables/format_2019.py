"""A function in SCAR's format of 2019, where settings stand directly below its name."""

from scar_pulumi.fdl._kinds import Anything, Key, Section

_MEANING = {
    "image": "Registry reference of the image.",
    "image_file": "The image as an archive.",
    "init_script": "Script that runs for each event.",
    "run_script": "Script of `scar run`.",
    "memory": "Memory in MB.",
    "time": "Seconds until an invocation is stopped.",
    "timeout_threshold": "Seconds of the timeout that are kept for storing outputs.",
    "description": "Shown in AWS's console.",
    "layers": "Layers of zip packages.",
    "extra_payload": "Files of zip packages.",
    "asynchronous": "Of `scar run`.",
    "c_args": "Of `scar run`.",
    "log_level": "Level of the supervisor's log lines.",
    "environment": "Variables of the user's process: a map, or a list of NAME=value.",
    "lambda_environment": "Variables of the Lambda function, and the supervisor's storage.",
    "s3": "input_bucket, output_bucket and deployment_bucket: bucket, or bucket/folder.",
    "api_gateway": "An HTTP endpoint.",
    "iam": "Its rights.",
    "cloudwatch": "Its logs.",
    "batch": "AWS Batch.",
    "execution_mode": "Where events run.",
    "region": "Region of the function.",
    "profile": "Profile of SCAR's AWS client.",
    "supervisor_version": "Version of SCAR's supervisor.",
    "name": "Of SCAR's command line.",
}

FUNCTION_2019 = Section(
    keys={name: Key(doc=doc, kind=Anything()) for name, doc in _MEANING.items()},
    at_least_one=("image", "image_file"),
)
