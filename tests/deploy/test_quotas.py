"""What a file makes together is measured on the documents that are deployed, before the engine starts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.limits import IAM_ROLE_POLICY_CHARACTERS
from scar_pulumi.deploy import deploy
from scar_pulumi.deploy.quotas import Documents, Size, Surroundings, beyond_quotas, sizes
from scar_pulumi.fdl import Fdl, load
from tests.world.pulumi_mocks import Recorder, run_program

AROUND = Surroundings("photos", "dev", region="eu-west-1", organization="None")  # as the mocks have it
HEAD = "functions:\n  aws:\n  - lambda:\n      name: many\n      container: {image: debian}\n"
EVERYTHING = """\
functions:
  aws:
  - lambda:
      name: many
      description: "größer"
      execution_mode: MODE
      container: {image: debian, timeout_threshold: 12, environment: {Variables: {INSIDE: "${env:QUOTA_TEST}"}}}
      environment: {Variables: {ONE: "é"}}
      log_format: json
      input:
      - {storage_provider: s3, path: "photos/in a*", suffix: [.png, .jpg]}
      - {storage_provider: s3, path: other/in}
      output:
      - {storage_provider: s3, path: photos/out, per_request: true}
      - {storage_provider: minio.mine, path: results/x}
      tags: {team: a}
      vpc: {SubnetIds: [subnet-01234567], SecurityGroupIds: [sg-01234567]}
      file_system:
      - Arn: arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0
        LocalMountPath: /mnt/data
    batch: {vcpus: 2, memory: 4096, environment: {Variables: {JOB: b}}, compute_resources: {type: RESOURCES}}
    api_gateway: {name: api, ui: true}
storage_providers:
  minio: {mine: {endpoint: "https://minio.example", access_key: a, secret_key: b}}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Fdl]:
    def read(text: str) -> Fdl:
        path = tmp_path / "many.yaml"
        path.write_text(text)
        return load(path)

    return read


def _outputs(*paths: str) -> str:
    return "      output:\n" + "".join(f"      - {{storage_provider: s3, path: {path}}}\n" for path in paths)


LONG = "many" + "y" * 50
STARS = [f"bucket/{number}{'*' * 1000}" for number in range(3)]
"""Places that are four times as long in a policy, which needs `${*}` for a star."""


@pytest.mark.usefixtures("prepared_images")
@pytest.mark.parametrize("mode", ["lambda", "lambda-batch", "batch"])
@pytest.mark.parametrize("resources", ["EC2", "FARGATE", "SPOT"])
def test_the_measured_documents_are_those_that_are_deployed(
    recorder: Recorder, read: Callable[[str], Fdl], monkeypatch: pytest.MonkeyPatch, mode: str, resources: str
) -> None:
    monkeypatch.setenv("QUOTA_TEST", "a value of this machine")
    fdl = read(EVERYTHING.replace("MODE", mode).replace("RESOURCES", resources))
    run_program(lambda: deploy(fdl))
    documents = Documents(fdl, fdl.functions[0], AROUND)
    measured = dict(documents.role_policies())
    variables = dict(documents.environment())
    made = _revealed(recorder.inputs("many-function")["environment"])["variables"]
    assert _like(
        json.loads(_revealed(recorder.inputs("many-role-policy")["policy"])), measured["the policy of the role of"]
    )
    assert made.keys() == variables.keys()
    assert {key: made[key] for key in made if key[:4] != "SCAR"} == {
        key: variables[key] for key in made if key[:4] != "SCAR"
    }
    assert _like(json.loads(made["SCAR_FUNCTION"]), json.loads(variables["SCAR_FUNCTION"]))
    assert len(made["SCAR_STORAGE_VERSIONS"]) <= len(variables["SCAR_STORAGE_VERSIONS"]) + len("None")
    if mode == "lambda":
        return
    assert _like(
        json.loads(_revealed(recorder.inputs("many-job-role-policy")["policy"])),
        measured["the policy of the role of the jobs of"],
    )
    definition = recorder.inputs("many-job-definition")
    container = documents.job_definition()["containerProperties"]
    registered = json.loads(_revealed(definition["containerProperties"]))
    for entry in (*registered.pop("environment"), *container.pop("environment")):
        assert entry["name"] in {**variables, "JOB": "", "INSIDE": "", "AWS_REGION": "", "AWS_LAMBDA_FUNCTION_NAME": ""}
    assert _like(registered, container)


def _revealed(value: Any) -> Any:
    """Return what the mocks got, without the mark of a secret."""
    return value.get("value", value) if isinstance(value, dict) else value


def _like(made: Any, measured: Any) -> bool:
    """Compare two documents: names with digits of the provider, which the mocks leave out, may only be longer."""
    if isinstance(made, dict):
        assert made.keys() == measured.keys(), (made, measured)
        return all(_like(made[key], measured[key]) for key in made)
    if isinstance(made, list):
        assert len(made) == len(measured), (made, measured)
        return all(map(_like, made, measured))
    if isinstance(made, str) and made != measured:
        assert len(made) <= len(measured), (made, measured)
        assert any(part in made for part in ("many-environment", "many-job-", "a@sha256", "/aws/", "fs-1")), (
            made,
            measured,
        )
        return True
    assert made == measured
    return True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + _outputs(*STARS), "3:5 functions.aws[0]: the policy of the role of 'many' has 12,"),
        (
            HEAD.replace("many", LONG) + _outputs(*(f"b{n:02}" for n in range(62))).replace("output", "input"),
            f"7:7 functions.aws[0].lambda.input: the list of who may start '{LONG}' has 2",
        ),
        (
            HEAD
            + "      execution_mode: batch\n    batch: {environment: {Variables: {BIG: '"
            + "x" * 23_800
            + "'}}}\n",
            "7:12 functions.aws[0].batch: the job definition of 'many' has 2",
        ),
        (
            HEAD + "      environment: {Variables: {BIG: '" + "x" * 3_800 + "'}}\n      execution_mode: lambda-batch\n",
            "6:20 functions.aws[0].lambda.environment: the environment of 'many' has 4,",
        ),
    ],
    ids=["role", "permissions", "job definition", "environment"],
)
def test_a_document_beyond_its_quota_is_told_where_it_comes_from(
    read: Callable[[str], Fdl], text: str, said: str
) -> None:
    found = [str(problem).partition("many.yaml:")[2] for problem in beyond_quotas(read(text), AROUND)]
    assert [one for one in found if one.startswith(said)], found


def test_the_last_character_that_fits_is_accepted(read: Callable[[str], Fdl]) -> None:
    fitting = HEAD + _outputs(*STARS[:2], "bucket/f")
    size = next(one.size for one in _sizes(read(fitting)) if one.what == "the policy of the role of")
    room = IAM_ROLE_POLICY_CHARACTERS - size
    assert 0 < room < 2000, size
    longer, too_long = (fitting.replace("bucket/f", "bucket/f" + _letters(more)) for more in (room, room + 1))
    assert beyond_quotas(read(longer), AROUND) == ()
    (problem,) = beyond_quotas(read(too_long), AROUND)
    assert problem.message == "the policy of the role of 'many' has 10,241 characters; AWS allows 10,240"


def _letters(count: int) -> str:
    return "*" * (count // 4) + "f" * (count % 4)


def _sizes(fdl: Fdl) -> list[Size]:
    return list(sizes(fdl, fdl.functions[0], AROUND))


def test_a_given_role_has_no_policy_of_ours(read: Callable[[str], Fdl]) -> None:
    role = "    iam: {role: 'arn:aws:iam::123456789012:role/mine'}\n"
    assert beyond_quotas(read(HEAD + _outputs(*STARS) + role), AROUND) == ()


@pytest.mark.usefixtures("recorder")
def test_plain_pulumi_refuses_the_same_files(read: Callable[[str], Fdl]) -> None:
    with pytest.raises(Exception, match="the policy of the role of 'many' has"):
        run_program(lambda: deploy(read(HEAD + _outputs(*STARS))))


def test_the_name_of_the_stack_counts(read: Callable[[str], Fdl]) -> None:
    storages = "".join(f"    m{n}: {{endpoint: 'https://m', access_key: a, secret_key: b}}\n" for n in range(20))
    outputs = _outputs(*(f"bucket/{n}" for n in range(20)))
    for number in range(20):
        outputs = outputs.replace("storage_provider: s3", f"storage_provider: minio.m{number}", 1)
    fdl = read(HEAD + outputs + "storage_providers:\n  minio:\n" + storages)
    told = [[problem.path for problem in beyond_quotas(fdl, Surroundings("p", "s" * n))] for n in (1, 90)]
    assert told == [[], ["functions.aws[0].lambda"]]


def test_most_files_are_measured_without_pulumi(read: Callable[[str], Fdl], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar_pulumi.deploy.quotas.sizes", lambda *_: pytest.fail("measured"))
    assert beyond_quotas(read(HEAD + _outputs("bucket/a", "bucket/b")), AROUND) == ()
    with pytest.raises(pytest.fail.Exception):
        beyond_quotas(read(HEAD + _outputs(STARS[0])), AROUND)
