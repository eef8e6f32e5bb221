"""The container runner of the local cloud: what Lambda does with container images, on this machine."""

from scar_pulumi.cloud.runner.configuration import FunctionConfiguration, Images, InvocationResult, Limits, LogSink
from scar_pulumi.cloud.runner.image import ImageError
from scar_pulumi.cloud.runner.runner import Runner, RunnerStoppedError
from scar_pulumi.cloud.runner.task import Task, TaskResult

__all__ = [
    "FunctionConfiguration",
    "ImageError",
    "Images",
    "InvocationResult",
    "Limits",
    "LogSink",
    "Runner",
    "RunnerStoppedError",
    "Task",
    "TaskResult",
]
