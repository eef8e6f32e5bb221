"""Stacks of one file side by side: names of the stack's own."""

from pathlib import Path

import pytest

from scar_pulumi.deploy import deploy
from scar_pulumi.deploy.unique_names import with_unique_names
from scar_pulumi.fdl import Fdl, load
from tests.world.pulumi_mocks import Recorder, run_program

FILE = """\
functions:
  aws:
  - lambda:
      name: NAME
      container: {image: debian}
      input: [{storage_provider: s3, path: My-FIRST/in, suffix: [.png]}]
      output:
      - {storage_provider: minio.lab, path: letters/in}
      - {storage_provider: minio.theirs, path: letters/in}
      - {storage_provider: s3.theirs, path: letters/in}
  oscar:
  - lab:
      name: sort
      image: x
      script: names.yaml
      input: [{storage_provider: minio, path: letters/in}]
      output: [{storage_provider: s3.theirs, path: letters/out}, {storage_provider: minio.lab, path: letters/out}]
clusters: {lab: {endpoint: "https://lab.example", auth_user: u, auth_password: p}}
storage_providers:
  minio:
    theirs: {endpoint: "https://m.example", access_key: a, secret_key: b}
    lab: {endpoint: "https://m.lab.example", access_key: a, secret_key: b}
  s3: {theirs: {access_key: a, secret_key: b}}
"""


def read(folder: Path, name: str = "thumbnails", bucket: str = "pictures") -> Fdl:
    path = folder / "names.yaml"
    path.write_text(FILE.replace("NAME", name).replace("My-FIRST", bucket))
    return load(path)


def test_functions_services_and_their_own_buckets_get_the_stack_s_name(tmp_path: Path) -> None:
    fdl = with_unique_names(read(tmp_path), "acme/photos/Dev_2")
    (function,), (service,) = fdl.functions, fdl.oscar
    assert function.name == "thumbnails-Dev_2"
    assert [str(path) for path in function.input] == [f"pictures-dev-2-{digest('pictures-dev_2')}/in"]
    assert function.input[0].suffix == (".png",)
    own, *theirs = function.output
    assert str(own) == f"letters-dev-2-{digest('letters-dev_2')}/in"
    assert [str(path) for path in theirs] == ["letters/in", "letters/in"]
    assert service.name.startswith("sort-dev-2")
    assert str(service.input[0]) == str(own), "what wires a function to a service stays wired"
    assert (service.input[0].provider, service.input[0].provider_id) == ("minio", "default")
    assert [path.bucket for path in service.output] == ["letters", own.bucket]


def digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.parametrize("length", [3, 40, 63, 64])
def test_names_stay_within_aws_s_limits_and_never_meet(tmp_path: Path, length: int) -> None:
    fdl = read(tmp_path, "f" * length, "b" * min(length, 63))
    stacks = ["dev", "prod", "prod-2", "x" * 60]
    names = {with_unique_names(fdl, stack).functions[0].name for stack in stacks}
    buckets = {with_unique_names(fdl, stack).functions[0].input[0].bucket for stack in stacks}
    assert (len(names), len(buckets)) == (4, 4)
    assert max(map(len, names)) <= 64
    assert max(map(len, buckets)) <= 63


@pytest.mark.usefixtures("prepared_images")
@pytest.mark.parametrize("asked", [True, False])
def test_the_configuration_decides_and_the_outputs_tell(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    exported: dict[str, object] = {}
    monkeypatch.setattr("pulumi.export", exported.__setitem__)
    monkeypatch.setattr("pulumi.Config.get_bool", lambda _, key: asked if key == "uniqueNames" else None)
    path = tmp_path / "names.yaml"
    path.write_text(
        "functions: {aws: [{lambda: {name: a, container: {image: x}, input: [{path: own/in}], output: [{path: own}]}}]}"
    )
    run_program(lambda: deploy(load(path)))
    assert recorder.inputs("a-dev-function" if asked else "a-function")["name"] == ("a-dev" if asked else "a")
    assert recorder.inputs("own-dev" if asked else "own")["bucket"] == ("own-dev" if asked else "own")
    assert exported.get("uniqueNames", False) is asked
