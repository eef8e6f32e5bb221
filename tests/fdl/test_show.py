"""The resolved document, the layers below the file, and where each value came from."""

import json
from pathlib import Path

import pytest

from scar_pulumi.fdl import FdlError, load
from scar_pulumi.fdl.showing import MASK, show

EVERYTHING = Path(__file__).with_name("files") / "everything.yaml"
ONE = "functions: {aws: [{lambda: {name: a, timeout: 30, container: {image: debian}}}]}\n"

SCAR_CFG = {
    "scar": {"config_version": "1.0.9"},
    "aws": {
        "iam": {"boto_profile": "default", "role": "arn:aws:iam::123456789012:role/lambda"},
        "lambda": {
            "boto_profile": "default",
            "region": "eu-west-1",
            "timeout": 200,
            "memory": 2048,
            "runtime": "python3.7",
            "layers": [],
            "environment": {"Variables": {"UDOCKER_BIN": "/opt/udocker/bin/", "MINE": "x"}},
            "deployment": {"max_payload_size": 52428800},
        },
        "api_gateway": {"region": "us-east-1", "http_method": "ANY", "stage_name": "scar"},
        "batch": {"vcpus": 1, "compute_resources": {"subnets": [], "max_v_cpus": 8}},
    },
    "oscar": {"my_oscar": {"endpoint": "https://oscar.example", "auth_password": "hunter2", "memory": "1Gi"}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    return path


@pytest.fixture
def scar_cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "scar.cfg"
    path.write_text(json.dumps(SCAR_CFG, indent="\t"))
    monkeypatch.setenv("SCAR_CONFIG_FOLDER", str(tmp_path))
    return path


def test_every_single_value_has_an_origin(file: Path) -> None:
    shown = show(file, {"lambda.memory": "1024"})
    origins = {path.removeprefix("functions.aws[0]."): origin for path, origin in shown.origins.items()}
    assert origins["lambda.name"] == f"{file}:1:35"
    assert origins["lambda.timeout"] == f"{file}:1:47"
    assert origins["lambda.memory"] == "--set lambda.memory=1024"
    assert origins["lambda.description"] == "default"
    assert origins["cloudwatch.log_retention_policy_in_days"] == "default"
    (line,) = [line for line in shown.lines if " timeout: " in line]
    assert line.split() == ["timeout:", "30", "#", f"{file}:1:47"]


def test_what_is_shown_reads_back_as_the_same(tmp_path: Path, file: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text("\n".join(show(file, {"lambda.memory": "1024"}).lines))
    (one,), (other,) = load(file, {"lambda.memory": 1024}).functions, load(again).functions
    assert one == other


HUNTERS = ("hunter2", "hunter3", "hunter4")


def test_secrets_are_masked_and_references_are_not() -> None:
    text = "\n".join(show(EVERYTHING).lines)
    for secret in (
        "val1",
        "hunter2",
        "hunter3",
        "hunter4",
        "mpass",
        "awsuser",
        "mytoken",
        "12345",
        "auth_password: p ",
    ):
        assert secret not in text.replace("subnet-12345", "").replace("sg-12345678", "")
    assert "${config:token}" in text
    assert "${env:HOME}" in text
    assert text.count(MASK) > 10


def test_an_existing_scar_cfg_is_the_lowest_layer(file: Path, scar_cfg: Path) -> None:
    shown = show(file)
    function = shown.document["functions"]["aws"][0]
    assert (function["lambda"]["memory"], function["lambda"]["timeout"]) == (2048, 30)
    assert function["batch"]["compute_resources"]["max_v_cpus"] == 8
    assert shown.origins["functions.aws[0].lambda.memory"].startswith(f"{scar_cfg}:")
    assert shown.warnings == ()
    (data,) = load(file).functions
    assert (data.role, data.region, data.environment) == (
        "arn:aws:iam::123456789012:role/lambda",
        "eu-west-1",
        {"MINE": "x"},
    )
    assert data.api_gateway is None


def test_it_also_tells_how_a_cluster_is_reached(tmp_path: Path, scar_cfg: Path) -> None:
    path = tmp_path / "service.yaml"
    service = "{name: a, script: service.yaml, image: x}"
    path.write_text(f"functions: {{oscar: [{{my_oscar: {service}, other: {service}}}]}}\n")
    mine, other = load(path).oscar
    assert (mine.endpoint, mine.auth_password, mine.definition["memory"]) == ("https://oscar.example", "hunter2", "1Gi")
    assert (other.endpoint, other.definition["memory"]) == (None, "256Mi")
    assert "hunter2" not in "\n".join(show(path).lines)


def test_scar_cfg_is_never_written_and_its_mistakes_are_shown_in_it(file: Path, scar_cfg: Path) -> None:
    text = json.dumps({"aws": {"lambda": {"memory": 64}}})
    scar_cfg.write_text(text)
    with pytest.raises(FdlError, match=r"scar\.cfg:1:31 .*64 is below"):
        load(file)
    assert scar_cfg.read_text() == text


def test_the_defaults_file_wins_over_scar_cfg(
    file: Path, scar_cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("aws: {lambda: {memory: 256}}\n")
    monkeypatch.setenv("SCAR_DEFAULTS", str(defaults))
    (function,) = load(file).functions
    assert (function.memory, function.region) == (256, "eu-west-1")


def test_what_is_passed_on_stands_where_the_file_has_it() -> None:
    origins = show(EVERYTHING).origins
    passed_on = {path: origin for path, origin in origins.items() if ".something_new" in path}
    assert len(passed_on) > 1
    assert all(origin.startswith(f"{EVERYTHING}:") for origin in passed_on.values())
