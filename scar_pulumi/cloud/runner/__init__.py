"""The container runner of the local cloud: what Lambda does with container images, on this machine."""

from scar_pulumi.cloud.runner.configuration import FunctionConfiguration, Images, InvocationResult, Limits, LogSink
from scar_pulumi.cloud.runner.container_run import ContainerExit, ContainerRun
from scar_pulumi.cloud.runner.executors import Volume
from scar_pulumi.cloud.runner.image import UnusableImageError
from scar_pulumi.cloud.runner.runner import Runner, RunnerStoppedError

__all__ = [
    "ContainerExit",
    "ContainerRun",
    "FunctionConfiguration",
    "Images",
    "InvocationResult",
    "Limits",
    "LogSink",
    "Runner",
    "RunnerStoppedError",
    "UnusableImageError",
    "Volume",
]
