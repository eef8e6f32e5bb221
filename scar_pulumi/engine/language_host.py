# ruff: noqa: ARG002, D102, N802 - the names and parameters of these methods are the gRPC service's
"""The Python language host of a CLI that was built from its Go module: a gRPC `LanguageRuntime`.

`pulumi` starts `pulumi-language-python ENGINE_ADDRESS` and reads the port from the first line of its output. Programs
are run by Pulumi's own `pulumi-language-python-exec`, so errors look as they do with an official installation.
https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2 as language
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from scar_foundation.errors import EngineError
from scar_pulumi.engine.go_build import BUILT_VERSION, PROGRAM_RUNNER
from scar_pulumi.engine.processes import exit_with_parent


@dataclass(frozen=True)
class Interpreter:
    """A Python executable, and the virtual environment it belongs to if the project named one."""

    executable: str
    virtual_environment: Path | None = None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for programs that this interpreter runs, and for what they start."""
        changed = dict(base)
        if self.virtual_environment:
            changed["VIRTUAL_ENV"] = str(self.virtual_environment)
            changed["PATH"] = os.pathsep.join([str(self.virtual_environment / "bin"), base.get("PATH", "")])
            changed.pop("PYTHONHOME", None)
        return changed


def choose_interpreter(root: Path, options: Mapping[str, object]) -> Interpreter:
    """Honour `runtime.options` of the project in `root`: `virtualenv` and `toolchain` (pip, uv or poetry).

    Raises EngineError when the named virtual environment does not exist.
    """
    directory = virtual_environment(root, options)
    if directory is None:
        return Interpreter(os.environ.get("PULUMI_PYTHON_CMD") or sys.executable)
    python = directory / "bin" / "python"
    if not python.exists():
        raise EngineError(
            f"Pulumi.yaml: the virtual environment {directory} of the runtime options does not exist; "
            f"run `pulumi install` in {root}, or remove the option to use {sys.executable}"
        )
    return Interpreter(str(python), directory)


def virtual_environment(root: Path, options: Mapping[str, object]) -> Path | None:
    """Return the virtual environment that the options ask for, whether or not it exists; None when they name none."""
    if name := options.get("virtualenv"):
        return (root / str(name)).absolute()
    if options.get("toolchain") == "uv":
        return _uv_environment(root)
    if options.get("toolchain") == "poetry" and (poetry := shutil.which("poetry")):
        answer = subprocess.run(
            [poetry, "env", "info", "--path"], cwd=root, capture_output=True, text=True, check=False
        )
        return Path(answer.stdout.strip()) if answer.stdout.strip() else None
    return None


def _uv_environment(root: Path) -> Path:
    for directory in (root, *root.parents):
        if (directory / "uv.lock").exists():
            return directory / ".venv"
    return root / ".venv"


_LIST = """
import importlib.metadata, json
print(json.dumps(sorted({(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()})))
"""

_SEARCH_PATH = "import json, sys; print(json.dumps(sys.path))"


def installed_packages(interpreter: Interpreter) -> list[tuple[str, str]]:
    """Return the name and version of every distribution that the interpreter sees."""
    return [(name, version) for name, version in _ask(interpreter, _LIST)]


def required_plugins(interpreter: Interpreter) -> list[dict[str, str]]:
    """Return the `pulumi-plugin.json` of every importable package that needs a resource plugin."""
    path = sys.path if interpreter.executable == sys.executable else _ask(interpreter, _SEARCH_PATH)
    found = [json.loads(file.read_text()) for entry in path for file in Path(entry).glob("*/pulumi-plugin.json")]
    return [plugin for plugin in found if plugin.get("resource")]


def install_commands(root: Path, options: Mapping[str, object]) -> Iterator[list[str]]:
    """Yield commands that install what the program in `root` needs; none where it runs in this interpreter."""
    target = virtual_environment(root, options)
    if options.get("toolchain") == "uv":
        yield ["uv", "sync"]
    elif options.get("toolchain") == "poetry":
        yield ["poetry", "install", "--no-ansi"]
    elif target is not None:
        python = str(target / "bin" / "python")
        if not Path(python).exists():
            yield [sys.executable, "-m", "venv", str(target)]
        if (root / "requirements.txt").exists():
            yield [python, "-m", "pip", "install", "-r", "requirements.txt"]


def _ask(interpreter: Interpreter, script: str) -> list:  # type: ignore[type-arg]
    answer = subprocess.run([interpreter.executable, "-c", script], capture_output=True, text=True, check=True)
    return list(json.loads(answer.stdout))


_GRACE_SECONDS = 5.0


class ChildProcesses:
    """All programs and plugins that run now."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(
        self, command: list[str], directory: Path, environment: Mapping[str, str], *, piped: bool
    ) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own; its output goes to pipes, or where the host's goes."""
        output = subprocess.PIPE if piped else None
        child = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            process_group=0,
        )  # fmt: skip
        self._running.add(child)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the child's end and return its exit code."""
        code = child.wait()
        self._running.discard(child)
        return code

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Interrupt the child's process group, and kill it when it has not ended after five seconds."""
        if child.poll() is None:
            _signal(child, signal.SIGINT)
            threading.Timer(_GRACE_SECONDS, _signal, (child, signal.SIGKILL)).start()

    def kill_all(self) -> None:
        """End every child at once."""
        for child in list(self._running):
            _signal(child, signal.SIGKILL)


def output_of(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield ("stdout" | "stderr", bytes) of a piped child as they come, until both streams end."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()
    assert child.stdout is not None
    assert child.stderr is not None
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=_pump, args=(name, stream, chunks), daemon=True).start()
    ended = 0
    while ended < 2:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            ended += 1


def _pump(name: str, stream: IO[bytes], chunks: "queue.Queue[tuple[str, bytes]]") -> None:
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
    chunks.put((name, b""))


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)


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
    """Serve until the engine ends this process or has ended itself."""
    children = ChildProcesses()
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
