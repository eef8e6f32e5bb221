"""What an FDL file's settings become when its stack is declared."""

import json
from pathlib import Path

import pulumi
import pytest

from scar_pulumi.deploy import deploy
from scar_pulumi.fdl import load
from tests.world.pulumi_mocks import Recorder, run_program

# https://github.com/pulumi/pulumi/blob/master/sdk/python/lib/pulumi/runtime/rpc.py
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
FILE = """\
functions:
  aws:
  - lambda:
      name: a
      container: {image: "debian:12"}
      environment: {Variables: {PLAIN: "x$${env:Y}", SECRET: "${env:SCAR_TEST_SECRET}!", PARAMETER: "${ssm:/a/b}"}}
      vpc: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      file_system:
      - Arn: arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000
        LocalMountPath: /mnt/efs
      output: [{path: bucket/out, per_request: true}]
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCAR_TEST_SECRET", "hunter2")
    path = tmp_path / "video.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.usefixtures("prepared_images")
def test_network_file_system_and_references_reach_the_function(recorder: Recorder, path: Path) -> None:
    run_program(lambda: deploy(load(path)))
    inputs = recorder.inputs("a-function")
    assert inputs["vpcConfig"] == {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    assert inputs["fileSystemConfig"]["localMountPath"] == "/mnt/efs"
    # All of it is one secret, as one of its values is.
    assert inputs["environment"][SIGNATURE] == SECRET
    variables = inputs["environment"]["value"]["variables"]
    assert (variables["PLAIN"], variables["SECRET"], variables["PARAMETER"]) == ("x${env:Y}", "hunter2!", "of /a/b")
    assert json.loads(variables["SCAR_FUNCTION"])["outputs"] == [
        {"storage_provider": "s3.default", "path": "bucket/out", "per_request": True}
    ]


def test_what_only_local_stacks_accept_is_refused_with_its_place(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("functions: {oscar: [{c: {name: a, script: index.json, image_file: .}}]}\n")
    (path.parent / "index.json").touch()
    fdl = load(path)
    monkeypatch.setattr("pulumi.get_stack", lambda: "prod")
    with pytest.raises(pulumi.RunError) as error:
        deploy(fdl)
    assert ":1:67 functions.oscar[0].c.image_file: works on local stacks only" in str(error.value)
    assert recorder.resources == {}


STORAGES = """\
functions:
  aws:
  - lambda:
      name: a
      container: {image: "debian:12"}
      file_stage_in: true
      output: [{storage_provider: s3.other, path: theirs/out}, {storage_provider: minio.möve, path: more/out}]
storage_providers:
  s3: {other: {access_key: k, secret_key: "${env:SCAR_TEST_SECRET}"}}
  minio: {möve: {endpoint: "https://minio.example", access_key: k, secret_key: s, verify: false}}
"""


@pytest.mark.usefixtures("prepared_images")
def test_settings_of_storages_are_secret_parameters_that_their_function_alone_may_read(
    recorder: Recorder, path: Path
) -> None:
    path.write_text(STORAGES)
    run_program(lambda: deploy(load(path)))
    declared = {name: recorder.inputs(f"{name}-settings") for name in ("s3.other", "minio.möve")}
    assert {parameter["type"] for parameter in declared.values()} == {"SecureString"}
    assert {parameter["value"][SIGNATURE] for parameter in declared.values()} == {SECRET}
    assert json.loads(declared["s3.other"]["value"]["value"]) == {"access_key": "k", "secret_key": "hunter2"}
    assert json.loads(declared["minio.möve"]["value"]["value"])["verify"] is False

    names = [parameter["name"] for parameter in declared.values()]
    assert names[0].startswith("/scar-pulumi/")
    assert names[0].endswith("/photos/dev/s3.other")
    assert "/photos/dev/minio.m-ve-" in names[1]
    variables = recorder.inputs("a-function")["environment"]["variables"]
    told = json.loads(variables["SCAR_FUNCTION"])
    assert told["storage_providers"] == {"s3.other": f"ssm:{names[0]}", "minio.möve": f"ssm:{names[1]}"}
    assert told["file_stage_in"] is True
    statements = json.loads(recorder.inputs("a-role-policy")["policy"])["Statement"]
    parameters = sorted(f"arn:aws:ssm:*:123456789012:parameter{name}" for name in names)
    assert [(statement["Sid"], statement["Resource"]) for statement in statements[1:]] == [
        ("ReadParameters", parameters)
    ]


@pytest.mark.usefixtures("prepared_images")
def test_a_function_that_reads_from_rucio_can_sign_in_where_the_copies_are(recorder: Recorder, path: Path) -> None:
    path.write_text("""\
functions:
  aws:
  - lambda:
      name: a
      container: {image: "debian:12"}
      input: [{storage_provider: rucio.mine, path: scope}]
  - lambda:
      name: b
      container: {image: "debian:12"}
storage_providers:
  rucio: {mine: {host: "https://rucio.example", account: a, access_token: t}}
  webdav: {site: {hostname: dcache.example, login: l, password: p}}
""")
    run_program(lambda: deploy(load(path)))
    told = [json.loads(recorder.inputs(f"{n}-function")["environment"]["variables"]["SCAR_FUNCTION"]) for n in "ab"]
    assert [sorted(one.get("storage_providers", {})) for one in told] == [["rucio.mine", "webdav.site"], []]


@pytest.mark.usefixtures("prepared_images")
def test_a_bucket_is_in_the_region_of_the_functions_that_it_starts(recorder: Recorder, path: Path) -> None:
    path.write_text(
        "functions:\n  aws:\n"
        "  - lambda: {name: a, region: us-east-1, container: {image: x}, output: [{path: shared/in}, {path: own}]}\n"
        "  - lambda: {name: b, region: eu-west-1, container: {image: debian}, input: [{path: shared/in}]}\n"
    )
    run_program(lambda: deploy(load(path)))
    regions = {name: recorder.inputs(name)["region"] for name in ("shared", "own")}
    assert regions == {"shared": "eu-west-1", "own": "us-east-1"}
    anywhere = {name: recorder.inputs(name)["any_region"] for name in ("shared", "own")}
    assert anywhere == {"shared": False, "own": True}


@pytest.mark.usefixtures("prepared_images")
def test_an_image_in_ecr_is_taken_as_it_is(recorder: Recorder, path: Path) -> None:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
    path.write_text(
        f"functions: {{aws: [{{lambda: {{name: a, container: {{image: '{image}', create_image: false}}}}}}]}}"
    )
    run_program(lambda: deploy(load(path)))
    assert recorder.inputs("a-function")["imageUri"] == image
    kinds = recorder.types().values()
    assert not [kind for kind in kinds if "ecr" in kind or "SupervisedImage" in kind]
