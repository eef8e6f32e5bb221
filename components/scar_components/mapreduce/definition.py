"""The state machine of a MapReduce, as plain data: plan, map, reduce, commit, and what happens when one of them fails.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html

An execution is a run over one object: its input names the object, its name is the run's id. States hand on only where
things are: tasks and results are in the work bucket, because an execution carries 256 KiB at most.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scar_foundation.limits import BATCH_ARRAY_SIZE, MAPREDUCE_RETRIES

State = dict[str, Any]

_INVOKE = "arn:aws:states:::lambda:invoke"
_SUBMIT = "arn:aws:states:::batch:submitJob.sync"
_READ = "arn:aws:states:::s3:getObject"

# Lambda refuses or fails for reasons that pass: wait up to an hour.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
_PASSING = {
    "ErrorEquals": [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.TooManyRequestsException",
    ],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 60,
    "MaxAttempts": 64,
}
_NOT_SUBMITTED = {
    "ErrorEquals": ["Batch.BatchException", "Batch.SdkClientException", "Batch.ServerException"],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 60,
    "MaxAttempts": 8,
}
"""Batch did not take the jobs; jobs that fail are another error, and their definition tries them again."""
_LASTING = ("InputChanged", "BadRecord", "BadPair", "SumsDiffer", "ConfigurationInvalid")
"""Errors of the supervisor that the same input always has: trying again would only take time."""
_OTHERS = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": MAPREDUCE_RETRIES}
_RETRY = [_PASSING, {"ErrorEquals": list(_LASTING), "MaxAttempts": 0}, _OTHERS]
_CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}]


class Functions(NamedTuple):
    """Tasks in Lambda: the function's ARN, and how many tasks run at once."""

    arn: str
    max_parallel: int


class Jobs(NamedTuple):
    """Tasks in AWS Batch: the ARNs of the queue and of the job definition, and what the names of jobs start with."""

    job_queue: str
    job_definition: str
    name: str


def definition(plan: str, commit: str, map_tasks: Functions | Jobs, reduce_tasks: Functions | Jobs) -> State:
    """Return the definition; `plan` and `commit` are the ARNs of the functions of these stages."""
    return {
        "Comment": "MapReduce over the records of one object",
        "StartAt": "Start",
        "States": {
            "Start": _start(),
            "Plan": _plan("plan", plan),
            "HasToScan": _choice({"Variable": "$.plan.answer.scan", "IsNull": True, "Next": "HasRecords"}, "Scan"),
            "Scan": _over_lines("scan", Functions(plan, _SCANS), "$.plan.answer.scan", "Splits"),
            "Splits": _plan("splits", plan),
            "HasRecords": _choice({"Variable": "$.plan.answer.map_count", "NumericEquals": 0, "Next": "Commit"}, "Map"),
            "Map": _tasks(map_tasks, "map", "$.plan.answer.tasks", "$.plan.answer.array_size", "Reduce"),
            "Reduce": _tasks(
                reduce_tasks, "reduce", "$.plan.answer.reduce_tasks", "$.plan.answer.reduce_array_size", "Commit"
            ),
            "Commit": _commit(commit),
            "Failed": _failed(commit),
            "Fail": {"Type": "Fail", "ErrorPath": "$.said.error", "CausePath": "$.said.message"},
            "FailUnsaid": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }


_SCANS = 100
"""Splits that are scanned at once for quotes."""


def _start() -> State:
    """Keep the run, which is the execution's input, beside what the states add."""
    tasks = {stage: {"mapreduce": stage, "run.$": "$.run"} for stage in ("map", "reduce")}
    return {"Type": "Pass", "Parameters": {"run.$": "$", **tasks}, "Next": "Plan"}


def _plan(what: str, function: str) -> State:
    return {
        **_invoked(function, {"mapreduce": what, "run.$": "$.run"}),
        "ResultSelector": {"answer.$": "$.Payload"},
        "ResultPath": "$.plan",
        "Catch": _CATCH,
        "Next": "HasToScan" if what == "plan" else "HasRecords",
    }


def _commit(function: str) -> State:
    return {
        **_invoked(function, {"mapreduce": "commit", "run.$": "$.run"}),
        "OutputPath": "$.Payload",
        "Catch": _CATCH,
        "End": True,
    }


def _failed(function: str) -> State:
    """Say why the run failed, in its output, and fail with that: of a map, the error says only that a task failed.

    If it cannot be said, the execution fails with the error itself.
    """
    return {
        **_invoked(function, {"mapreduce": "failed", "run.$": "$.run", "error.$": "$.error"}),
        "ResultSelector": {"error.$": "$.Payload.error", "message.$": "$.Payload.message"},
        "ResultPath": "$.said",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.unsaid", "Next": "FailUnsaid"}],
        "Next": "Fail",
    }


def _choice(rule: Mapping[str, Any], otherwise: str) -> State:
    return {"Type": "Choice", "Choices": [dict(rule)], "Default": otherwise}


def _tasks(tasks: Functions | Jobs, stage: str, lines: str, size: str, following: str) -> State:
    if isinstance(tasks, Functions):
        return _over_lines(stage, tasks, lines, following)
    return _array(tasks, stage, size, following)


def _over_lines(stage: str, functions: Functions, lines: str, following: str) -> State:
    """Invoke a function with each line of a JSONL object.

    Children are standard workflows: retries take longer than the five minutes of express ones. Their outputs are
    dropped, because all of them together are the output of the state.
    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    """
    name = f"{stage.capitalize()}Task"  # names are unique in all of a machine
    task = {
        "Type": "Task",
        "Resource": _INVOKE,
        "Parameters": {"FunctionName": functions.arn, "Payload.$": "$"},
        "OutputPath": None,
        "Retry": _RETRY,
        "End": True,
    }
    return {
        "Type": "Map",
        "ItemReader": {
            "Resource": _READ,
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket.$": f"{lines}.bucket", "Key.$": f"{lines}.key"},
        },
        "MaxConcurrency": functions.max_parallel,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": name,
            "States": {name: task},
        },
        "ResultPath": None,
        "Catch": _CATCH,
        "Next": following,
    }


def _array(jobs: Jobs, stage: str, size: str, following: str) -> State:
    """Submit an array of jobs and wait for its end. A job knows its task by its index; the definition retries it.

    An array has two jobs or more, so a single task has a companion that does nothing.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
    """
    assert BATCH_ARRAY_SIZE.least == 2, "the planner answers with this size"
    return {
        "Type": "Task",
        "Resource": _SUBMIT,
        "Parameters": {
            "JobName.$": f"States.Format('{jobs.name}-{{}}', $.run.run)",
            "JobQueue": jobs.job_queue,
            "JobDefinition": jobs.job_definition,
            "ArrayProperties": {"Size.$": size},
            "ContainerOverrides": {
                "Environment": [{"Name": "EVENT", "Value.$": f"States.JsonToString($.{stage})"}],
            },
        },
        "ResultPath": None,
        "Retry": [_NOT_SUBMITTED],
        "Catch": _CATCH,
        "Next": following,
    }


def _invoked(function: str, payload: Mapping[str, Any]) -> State:
    return {
        "Type": "Task",
        "Resource": _INVOKE,
        "Parameters": {"FunctionName": function, "Payload": dict(payload)},
        "Retry": _RETRY,
    }
