# ruff: noqa: ARG002, D102, N802 - the names and parameters of these methods are the gRPC service's
"""The Python language host of a CLI that was built from its Go module: a gRPC `LanguageRuntime`.

`pulumi` starts `pulumi-language-python ENGINE_ADDRESS` and reads the port from the first line of its output. Programs
are run by Pulumi's own `pulumi-language-python-exec`, so errors look as they do with an official installation.
https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2 as language
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from scar_foundation.errors import EngineError
from scar_pulumi.engine._children import Children, output_of
from scar_pulumi.engine._dependencies import install_commands, installed_packages, required_plugins
from scar_pulumi.engine._interpreter import Interpreter, choose_interpreter
from scar_pulumi.engine._processes import exit_with_parent
from scar_pulumi.engine._release import BUILT_VERSION, PROGRAM_RUNNER

_ERROR_SHOWN = 32
"""Exit code of the runner after it has shown the error itself."""

# The engine's own limit: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/util/rpcutil
_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and plugins for one engine."""

    def __init__(self, engine_address: str, children: Children) -> None:
        self._engine_address = engine_address
        self._children = children

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._engine_address = request.engine_address or self._engine_address
        return language.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=BUILT_VERSION)

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        python = _interpreter(request.info, context).executable
        command = [python, "-c", "import platform; print(platform.python_version())"]
        version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        return language.AboutResponse(executable=python, version=version)

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        interpreter = _interpreter(request.info, context)
        # The engine asks in order to download them, and `pulumi package` and `install` do so even when they must not.
        plugins = [] if _truthy("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION") else required_plugins(interpreter)
        return language.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=plugin["name"], kind="resource", version=plugin["version"], server=plugin.get("server", "")
                )
                for plugin in plugins
            ]
        )

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        packages = installed_packages(_interpreter(request.info, context))
        found = [language.DependencyInfo(name=name, version=version) for name, version in packages]
        return language.GetProgramDependenciesResponse(dependencies=found)

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        root = Path(request.info.program_directory or request.directory)
        commands = list(install_commands(root, _options(request.info)))
        if not commands:
            said = f"Nothing to install: programs run in {sys.executable}, with the packages that it has.\n"
            yield language.InstallDependenciesResponse(stdout=said.encode())
        for command in commands:
            if shutil.which(command[0]) is None:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{command[0]} is not installed")
            child = self._children.start(command, root, os.environ, piped=True)
            for stream, chunk in output_of(child):
                yield language.InstallDependenciesResponse(**{stream: chunk})
            if code := self._children.wait(child):
                context.abort(grpc.StatusCode.UNKNOWN, f"`{' '.join(command)}` failed with exit code {code}")

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            interpreter = choose_interpreter(Path(request.info.root_directory), _options(request.info))
        except EngineError as error:
            return language.RunResponse(error=str(error))
        environment = interpreter.environment(os.environ) | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [interpreter.executable, "-u", _runner(), *self._arguments(request)]
        directory = Path(request.info.program_directory or request.pwd)
        child = self._children.start(command, directory, environment, piped=False)
        context.add_callback(lambda: self._children.stop(child))
        return _result(self._children.wait(child))

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        interpreter = _interpreter(request.info, context)
        environment = interpreter.environment(dict(entry.partition("=")[::2] for entry in request.env) or os.environ)
        program = str(Path(request.info.program_directory) / request.info.entry_point)
        command = [interpreter.executable, "-u", program, *request.args]
        child = self._children.start(command, Path(request.pwd), environment, piped=True)
        context.add_callback(lambda: self._children.stop(child))
        for stream, chunk in output_of(child):
            yield (
                language.RunPluginResponse(stdout=chunk)
                if stream == "stdout"
                else language.RunPluginResponse(stderr=chunk)
            )
        yield language.RunPluginResponse(exitcode=self._children.wait(child))

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        # Programs end by themselves: the engine shuts its resource monitor down.
        return empty_pb2.Empty()

    def _arguments(self, request: Any) -> Iterator[str]:
        values = {
            "monitor": request.monitor_address,
            "engine": self._engine_address,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root_directory": request.info.root_directory,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
        }
        for name, value in values.items():
            if value:
                yield from (f"--{name}", value)
        yield request.info.entry_point or request.program or "."
        yield from request.args


def _result(code: int) -> Any:
    if code == _ERROR_SHOWN:
        return language.RunResponse(bail=True)
    if code < 0:
        return language.RunResponse(error=f"Program was ended by signal {signal.Signals(-code).name}")
    return language.RunResponse(error=f"Program exited with non-zero exit code: {code}" if code else "")


def _interpreter(info: Any, context: grpc.ServicerContext) -> Interpreter:
    try:
        return choose_interpreter(Path(info.root_directory), _options(info))
    except EngineError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        raise


def _truthy(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in {"1", "true"}


def _options(info: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(info.options))


def _runner() -> str:
    found = shutil.which(PROGRAM_RUNNER)
    if found is None:
        raise EngineError(f"{PROGRAM_RUNNER} is not on PATH; run `python -m scar_pulumi.engine` to restore it")
    return found


def main(arguments: list[str]) -> None:
    """Serve until the engine ends this process or has ended itself."""
    children = Children()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=_OPTIONS)
    address = next((argument for argument in arguments if not argument.startswith("-")), "")
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(address, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    exit_with_parent()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped.wait()
    children.kill_all()
    server.stop(0)


if __name__ == "__main__":
    main(sys.argv[1:])
