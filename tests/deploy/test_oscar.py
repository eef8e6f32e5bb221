"""What the services of an FDL file become, with functions beside them."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from scar_pulumi.cloud.oscar import address
from scar_pulumi.deploy import deploy
from scar_pulumi.deploy.oscar import creation_order
from scar_pulumi.fdl import load
from tests.world.pulumi_mocks import Recorder, run_program, use_mocks

SIGNATURE = "4dabf18193072939515e22adb298388d"
FILE = """\
functions:
  oscar:
  - mine:
      name: first
      image: ghcr.io/grycap/first
      script: second.sh
      memory: 1Gi
      environment: {Variables: {LEVEL: "1"}, Secrets: {KEY: "${env:SCAR_TEST_SECRET}"}}
      synchronous: {min_scale: 1, max_scale: 3}
      input: [{storage_provider: minio, path: raw/in}]
      output: [{storage_provider: minio.mine, path: middle/in}, {storage_provider: s3.archive, path: results/out}]
  - mine:
      name: second
      image: ghcr.io/grycap/second
      script: second.sh
      enable_gpu: true
      expose: {api_port: 8080, max_scale: 4}
      input: [{storage_provider: minio.default, path: middle/in}]
storage_providers:
  s3:
    archive: {access_key: AK, secret_key: "${env:SCAR_TEST_SECRET}", region: eu-west-1}
    other: {access_key: theirs, secret_key: theirs}
clusters:
  mine: {endpoint: "https://oscar.example.org", auth_user: ada, auth_password: correct horse}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCAR_TEST_SECRET", "hunter2")
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "second.sh").write_text("cat\n")
    path = tmp_path / "video.yaml"
    path.write_text(FILE)
    return path


def configured(monkeypatch: pytest.MonkeyPatch, **clusters: Any) -> None:
    pulumi.runtime.set_all_config({"scar:clusters": json.dumps(clusters)})


@pytest.fixture(autouse=True)
def no_configuration() -> Any:
    yield
    pulumi.runtime.set_all_config({})


def plain(value: Any) -> Any:
    """Return a recorded value without the marks of secrets."""
    if isinstance(value, dict):
        return plain(value["value"]) if SIGNATURE in value else {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def outputs(monkeypatch: pytest.MonkeyPatch, path: Path) -> dict[str, Any]:
    exported: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    run_program(lambda: deploy(load(path)))
    return exported


def test_services_get_what_they_use_and_readers_come_before_writers(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = outputs(monkeypatch, path)
    first = plain(recorder.inputs("first-service"))
    assert (first["endpoint"], first["username"], first["password"]) == (
        "https://oscar.example.org",
        "ada",
        "correct horse",
    )
    definition = first["definition"]
    assert definition["output"] == [
        {"storage_provider": "minio.default", "path": "middle/in"},
        {"storage_provider": "s3.archive", "path": "results/out"},
    ]
    assert definition["storage_providers"] == {
        "s3": {"archive": {"access_key": "AK", "secret_key": "hunter2", "region": "eu-west-1"}}
    }
    assert definition["environment"] == {"variables": {"LEVEL": "1"}, "secrets": {"KEY": "hunter2"}}
    assert definition["synchronous"] == {"min_scale": 1, "max_scale": 3}
    second = plain(recorder.inputs("second-service"))["definition"]
    assert (second["script"], second["enable_gpu"]) == ("cat\n", True)
    assert (second["expose"]["api_port"], second["expose"]["max_scale"]) == ([8080], 4)
    assert [service.name for service in creation_order(load(path))] == ["second", "first"]
    assert list(recorder.resources) == ["second", "second-service", "first", "first-service"]
    cluster = exported["oscar"]["mine"]
    assert set(cluster) == {"endpoint", "user", "password", "verify", "services"}
    assert set(cluster["services"]["first"]) >= {"inputs", "outputs", "token", "runUrl", "jobUrl", "synchronous"}


def test_the_configuration_of_the_stack_counts_more_than_the_file(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(monkeypatch, mine={"endpoint": "https://staging.example.org", "ssl_verify": False, "adopt": True})
    run_program(lambda: deploy(load(path)))
    first = plain(recorder.inputs("first-service"))
    assert (first["endpoint"], first["username"]) == ("https://staging.example.org", "ada")
    assert (first["verify_certificate"], first["adopt"]) == (False, True)


def test_a_cluster_can_be_deployed_with_its_services(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingress = {"host": "oscar.example.org", "issuer": "letsencrypt"}
    configured(
        monkeypatch, mine={"deploy": {"volume": {"storage_class": "nfs"}, "ingress": ingress, "preflight": False}}
    )
    run_program(lambda: deploy(load(path)))
    assert recorder.types()["mine"] == "scar:index:OscarCluster"
    first = plain(recorder.inputs("first-service"))
    assert (first["endpoint"], first["username"]) == ("https://oscar.example.org", "oscar")
    assert first["password"] != "correct horse"


UPLOADS = """\
functions:
  aws:
  - lambda:
      name: upload
      container: {image: "000000000000.dkr.ecr.us-east-1.amazonaws.com/upload:1", create_image: false}
      output: [{storage_provider: minio.mine, path: raw/in}, {storage_provider: minio.theirs, path: other/in}]
  oscar:
  - mine:
      name: sign
      image: debian
      script: second.sh
      input: [{storage_provider: minio, path: raw/in}]
storage_providers:
  minio:
    mine: {endpoint: "https://minio.example.org", access_key: "${env:SCAR_TEST_SECRET}", secret_key: b}
    theirs: {endpoint: "https://theirs.example.org", access_key: c, secret_key: d}
"""


def test_the_keys_with_which_functions_write_start_jobs_on_a_cluster_of_the_stack(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(UPLOADS)
    made = {"volume": {"storage_class": "nfs"}, "preflight": False, "uploaders": ["ada"]}
    configured(monkeypatch, mine={"deploy": made})
    run_program(lambda: deploy(load(path)))
    secrets = [name for name in recorder.resources if name.startswith("mine-uploader-")]
    assert secrets == ["mine-uploader-ada", "mine-uploader-hunter2"]


def test_on_a_cluster_elsewhere_the_secret_of_such_a_key_is_asked_for(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(UPLOADS)
    configured(monkeypatch, mine={"endpoint": "https://oscar.example.org", "auth_password": "correct horse"})
    run_program(lambda: deploy(load(path)))
    assert "named like the access_key of storage_providers.minio.mine; OSCAR makes none" in caplog.text
    assert "storage_providers.minio.theirs" not in caplog.text
    caplog.clear()
    monkeypatch.setenv("SCAR_TEST_SECRET", "minio")
    run_program(lambda: deploy(load(path)))
    assert "OSCAR makes none" not in caplog.text
    assert recorder.resources


def test_on_local_stacks_every_cluster_is_the_local_clouds(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mocks = Recorder()
    use_mocks(mocks, "local")
    (tmp_path / "state" / "local").mkdir(parents=True)
    (tmp_path / "state" / "local" / "port").write_text("4567")
    exported = outputs(monkeypatch, path)
    first = plain(mocks.inputs("first-service"))
    password = address.password(tmp_path / "state" / "local")
    assert (first["endpoint"], first["password"]) == ("http://127.0.0.1:4567/_scar/oscar/mine", password)
    assert first["definition"]["storage_providers"]["s3"]["archive"]["access_key"] == "test"
    cluster = exported["oscar"]["mine"]
    assert set(cluster["storage"]) == {"minio.default", "minio.mine"}
    assert [place["provider"] for place in cluster["services"]["first"]["outputs"]] == ["minio.default", "s3.archive"]


def test_what_is_missing_or_wrong_is_told_before_anything_is_declared(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(FILE.partition("clusters:")[0])
    with pytest.raises(pulumi.RunError, match="cluster 'mine': endpoint is missing; add it below") as missing:
        deploy(load(path))
    assert "auth_password is missing" in str(missing.value)
    configured(monkeypatch, mine={"endpint": "https://oscar.example.org"})
    with pytest.raises(pulumi.RunError, match=r"scar:clusters\.mine: endpint is unknown; use adopt, auth_password"):
        deploy(load(path))
    path.write_text(FILE)
    configured(monkeypatch, mine={"deploy": {}, "endpoint": "x"})
    with pytest.raises(pulumi.RunError, match="no endpoint goes with it"):
        deploy(load(path))
    assert recorder.resources == {}


TWO_CLUSTERS = """\
functions:
  oscar:
  - far:
      name: last
      image: ghcr.io/grycap/last
      script: second.sh
      input: [{storage_provider: minio.theirs, path: work/middle}]
      output: [{storage_provider: minio, path: work/out}]
  - near:
      name: first
      image: ghcr.io/grycap/first
      script: second.sh
      input: [{storage_provider: minio, path: work/in}]
      output: [{storage_provider: minio.theirs, path: work/middle}, {storage_provider: minio.far, path: more/out}]
storage_providers:
  minio: {theirs: {endpoint: "https://minio.example.org", access_key: AK, secret_key: SK}}
clusters:
  far: {endpoint: "https://far.example.org", auth_password: "x"}
  near: {endpoint: "https://near.example.org", auth_password: "x"}
"""


def test_each_local_cluster_has_its_own_storage_and_writes_to_that_of_others(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mocks = Recorder()
    use_mocks(mocks, "local")
    (tmp_path / "state" / "local").mkdir(parents=True)
    (tmp_path / "state" / "local" / "port").write_text("4567")
    path.write_text(TWO_CLUSTERS)
    exported = outputs(monkeypatch, path)
    first, last = (plain(mocks.inputs(f"{name}-service"))["definition"] for name in ("first", "last"))
    assert [place["storage_provider"] for place in last["input"] + last["output"]] == ["minio.default"] * 2
    assert [place["storage_provider"] for place in first["output"]] == ["minio.theirs", "minio.far"]
    far = address.minio_settings("http://127.0.0.1:4567", tmp_path / "state" / "local", "far")
    assert first["storage_providers"]["minio"] == {"theirs": far, "far": far}
    assert "storage_providers" not in last
    assert set(exported["oscar"]["near"]["storage"]) == {"minio.default", "minio.far", "minio.theirs"}
    # The reader of a bucket is made first, on whichever cluster.
    assert [service.name for service in creation_order(load(path))] == ["last", "first"]
