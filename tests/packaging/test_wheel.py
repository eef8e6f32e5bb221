"""What the built wheel holds and does, run from it in an environment that has nothing else (scripts/test-package)."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

DISTRIBUTIONS = os.environ.get("SCAR_DISTRIBUTIONS")

pytestmark = pytest.mark.skipif(DISTRIBUTIONS is None, reason="run by scripts/test-package, on a built wheel")

FDL = """
functions:
  aws:
    - lambda:
        name: broken
        memory: 64
        container: {image: debian}
"""


def names() -> list[str]:
    assert DISTRIBUTIONS
    (wheel,) = Path(DISTRIBUTIONS).glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("scar-pulumi")
    return subprocess.run([script, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_wheel_installs_three_packages_and_nothing_beside_them() -> None:
    installed = {name.split("/")[0] for name in names() if ".dist-info/" not in name}
    assert installed == {"scar_pulumi", "scar_components", "scar_foundation"}


@pytest.mark.parametrize(
    "name",
    [
        "scar_pulumi/py.typed",
        "scar_components/py.typed",
        "scar_foundation/py.typed",
        "scar_pulumi/cloud/__init__.pyi",
        "scar_pulumi/cloud/ministack/requirements.txt",
        "scar_pulumi/engine/module/go.mod",
        "scar_pulumi/engine/module/go.sum",
        "scar_components/PulumiPlugin.yaml",
        "scar_components/__main__.py",
        "scar_components/supervisor_image/bundle.py",
        "scar_components/supervisor_image/bundling/pins.json",
        "scar_components/supervisor_image/layers/arm64/layer.tar.gz",
        "scar_components/supervisor_image/layers/x86_64/layer.json",
        "scar_components/supervisor_image/supervisor/__init__.py",
    ],
)
def test_the_wheel_holds_what_is_needed_at_run_time(name: str) -> None:
    assert name in names()


def test_the_source_distribution_holds_what_the_wheel_is_built_from() -> None:
    assert DISTRIBUTIONS
    (archive,) = Path(DISTRIBUTIONS).glob("*.tar.gz")
    with tarfile.open(archive) as source:
        files = {name.split("/", 1)[-1] for name in source.getnames()}
    assert {"pyproject.toml", "supervisor_image/bundle.py", "components/scar_components/py.typed"} <= files


def test_the_console_script_says_its_version() -> None:
    answer = run("--version")
    assert answer.returncode == 0
    assert importlib.metadata.version("scar-pulumi") in answer.stdout


def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(FDL)
    answer = run("preview", str(tmp_path / "broken.yaml"))
    assert answer.returncode == 2
    assert "broken.yaml:6:17 functions.aws[0].lambda.memory: 64 " in answer.stderr


def test_the_components_import() -> None:
    code = "import scar_components as c; print([getattr(c, name).__name__ for name in c.__all__])"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "LambdaContainerFunction" in answer.stdout


def test_the_supervisor_is_bundled_from_the_installed_wheel(tmp_path: Path) -> None:
    code = "import scar_components, pathlib; print(pathlib.Path(scar_components.__file__).parent / 'supervisor_image')"
    answer = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    bundle = Path(answer.stdout.strip()) / "bundle.py"
    command = [
        sys.executable,
        str(bundle),
        "--architecture",
        os.uname().machine,
        "--output",
        str(tmp_path / "l.tar.gz"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "l.tar.gz") as layer:
        assert all(name.split("/")[0] == "opt" for name in layer.getnames())


def test_the_local_cloud_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MiniStack from its own environment, which the wheel's does not have."""
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path))
    started = run("local", "start", "--json")
    try:
        assert started.returncode == 0, started.stderr
        assert json.loads(started.stdout)["endpoint"].startswith("http://127.0.0.1:")
    finally:
        run("local", "stop")


def test_the_wheel_has_the_provider_plugin_that_the_engine_finds() -> None:
    script = Path(sys.executable).with_name("pulumi-resource-scar")
    process = subprocess.Popen([script, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline().strip().isdigit()
    finally:
        process.kill()
        process.communicate()
