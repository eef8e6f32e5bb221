# ruff: noqa: ARG002, D102, N802 - the names and parameters of these methods are the gRPC service's
"""The Python language host of a CLI that was built from its Go module: a gRPC `LanguageRuntime`.

`pulumi` starts `pulumi-language-python ENGINE_ADDRESS` and reads the port from the first line of its output. Programs
are run by Pulumi's own `pulumi-language-python-exec`, so errors look as they do with an official installation.
https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto
"""

import contextlib
import json
import math
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2 as language
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from scar_foundation.errors import EngineError
from scar_pulumi.engine.go_build import BUILT_VERSION, PROGRAM_RUNNER
from scar_pulumi.engine.python_runtime import (
    Interpreter,
    choose_interpreter,
    install_commands,
    installed_packages,
    required_plugins,
)
from scar_pulumi.engine.tether import descendants, end_descendants, exit_with_parent, kill_tree, signal_all

_GRACE_SECONDS = 5.0
_QUIET_SECONDS = 0.2
_LEFTOVER_SECONDS = 1.0


class ChildProcesses:
    """All programs and plugins that run now.

    They stay in the host's process group, which is what the engine signals and, after five seconds, kills. Their output
    goes through pipes of the host's: the engine reads the host's own until nobody holds it any more, and would wait for
    ever for whatever a program has left behind.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, command: list[str], directory: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program. Raises EngineError once everything was ended."""
        with self._lock:
            if self._closed:
                raise EngineError("the language host is ending; nothing more is started")
            child = subprocess.Popen(
                command, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            self._running.add(child)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the child's end and return its exit code."""
        code = child.wait()
        with self._lock:
            self._running.discard(child)
        return code

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Interrupt the child and what it has started; kill what has not ended after five seconds."""
        if child.poll() is None:
            signal_all([child.pid, *descendants(child.pid)], signal.SIGINT)
            timer = threading.Timer(_GRACE_SECONDS, self._kill, (child,))
            timer.daemon = True
            timer.start()

    def kill_all(self) -> None:
        """End every child at once, and let none start any more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for child in running:
            self._kill(child)

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            kill_tree(child.pid)


def output_of(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield ("stdout" | "stderr", bytes) of a child as they come, until it has ended.

    What the child has started may hold both streams for longer: it is heard for a second more.
    """
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()
    assert child.stdout is not None
    assert child.stderr is not None
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=_pump, args=(name, stream, chunks), daemon=True).start()
    open_streams, until = 2, math.inf
    while open_streams and time.monotonic() < until:
        with contextlib.suppress(queue.Empty):
            name, chunk = chunks.get(timeout=_QUIET_SECONDS)
            if chunk:
                yield name, chunk
            else:
                open_streams -= 1
        if until == math.inf and child.poll() is not None:
            until = time.monotonic() + _LEFTOVER_SECONDS


def _pump(name: str, stream: IO[bytes], chunks: "queue.Queue[tuple[str, bytes]]") -> None:
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
    chunks.put((name, b""))


_OWN_STREAMS = {"stdout": 1, "stderr": 2}


def _pass_on(child: subprocess.Popen[bytes]) -> None:
    """Write what the child writes to the host's own output, until the child has ended."""
    for name, chunk in output_of(child):
        rest = chunk
        while rest:
            rest = rest[os.write(_OWN_STREAMS[name], rest) :]


_ERROR_SHOWN = 32
"""Exit code of the runner after it has shown the error itself."""

# The engine's own limit: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/util/rpcutil
_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and plugins for one engine."""

    def __init__(self, engine_address: str, children: ChildProcesses) -> None:
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
        plugins = [] if _is_set("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION") else required_plugins(interpreter)
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
            child = self._children.start(command, root, os.environ)
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
        command = interpreter.tethered(os.getpid(), _runner(), *self._arguments(request))
        directory = Path(request.info.program_directory or request.pwd)
        child = self._children.start(command, directory, environment)
        context.add_callback(lambda: self._children.stop(child))
        _pass_on(child)
        return _result(self._children.wait(child))

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        interpreter = _interpreter(request.info, context)
        environment = interpreter.environment(dict(entry.partition("=")[::2] for entry in request.env) or os.environ)
        program = str(Path(request.info.program_directory) / request.info.entry_point)
        command = interpreter.tethered(os.getpid(), program, *request.args)
        child = self._children.start(command, Path(request.pwd), environment)
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


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in {"1", "true"}


def _options(info: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(info.options))


def _runner() -> str:
    found = shutil.which(PROGRAM_RUNNER)
    if found is None:
        raise EngineError(f"{PROGRAM_RUNNER} is not on PATH; run `python -m scar_pulumi.engine` to restore it")
    return found


def main(arguments: list[str]) -> None:
    """Serve until the engine ends this process or has ended itself; nothing that was started here stays."""
    children = ChildProcesses()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=_OPTIONS)
    address = next((argument for argument in arguments if not argument.startswith("-")), "")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    exit_with_parent(os.getppid())
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(address, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped.wait()
    children.kill_all()
    end_descendants(0)
    # A call in work would keep the interpreter.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
