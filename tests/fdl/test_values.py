"""What a right file means: defaults, paths, and values as they are written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl, Function, StoragePath, load

Load = Callable[..., Fdl]
Mistakes = Callable[..., list[str]]


def test_a_minimal_function_gets_the_documented_defaults(load_lambda: Load, tmp_path: Path) -> None:
    fdl = load_lambda()
    assert fdl.path == tmp_path / "video.yaml"
    assert fdl.warnings == ()
    assert fdl.storage_providers == {}
    assert fdl.functions == (
        Function(
            name="a",
            description="Automatically generated lambda function",
            memory=512,
            timeout=300,
            ephemeral_storage=512,
            log_level="INFO",
            log_format="text",
            execution_mode="lambda",
            path="functions.aws[0]",
            image="debian",
            image_file=None,
            create_image=True,
            init_script=None,
            environment={},
            container_environment={},
            timeout_threshold=10,
            input=(),
            output=(),
            tags={},
            role=None,
            region=None,
            architecture="x86_64",
            log_retention=30,
            allow_loop=False,
            file_stage_in=False,
        ),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bucket", StoragePath("s3", "default", "bucket", "")),
        ("bucket/", StoragePath("s3", "default", "bucket", "")),
        ("bucket/in", StoragePath("s3", "default", "bucket", "in")),
        ("bucket/in/", StoragePath("s3", "default", "bucket", "in")),
        ("/bucket/in", StoragePath("s3", "default", "bucket", "in")),
        ("bucket/a b/c", StoragePath("s3", "default", "bucket", "a b/c")),
        ("bucket/Füße/写真", StoragePath("s3", "default", "bucket", "Füße/写真")),
        ("bucket/a+b%20c&d=e", StoragePath("s3", "default", "bucket", "a+b%20c&d=e")),
        ("my.bucket-1/…", StoragePath("s3", "default", "my.bucket-1", "…")),
    ],
)
def test_a_storage_path_is_a_bucket_and_a_folder(load_lambda: Load, written: str, meant: StoragePath) -> None:
    (function,) = load_lambda(f'input:\n- path: "{written}"').functions
    assert function.input == (meant,)


def test_the_key_prefix_of_a_folder_ends_with_a_slash_and_that_of_a_bucket_is_empty() -> None:
    assert StoragePath("s3", "default", "b", "in").key_prefix == "in/"
    assert StoragePath("s3", "default", "b", "").key_prefix == ""


@pytest.mark.parametrize(
    ("written", "passed_on"),
    [
        ("17", "17"),
        ("true", "true"),
        ("True", "True"),
        ("no", "no"),
        ("1.50", "1.50"),
        ("0755", "0755"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("", ""),
        ("~", ""),
        ('""', ""),
        ("'a: b # c'", "a: b # c"),
        ('"a\\nb"', "a\nb"),
        ("!!str 17", "17"),
    ],
)
def test_variables_are_passed_on_as_they_are_written(load_lambda: Load, written: str, passed_on: str) -> None:
    (function,) = load_lambda(f"environment:\n  Variables:\n    KEY: {written}").functions
    assert function.environment == {"KEY": passed_on}


def test_the_two_environments_are_kept_apart(load_text: Load) -> None:
    (function,) = load_text("""\
functions:
  aws:
  - lambda:
      name: a
      environment: {Variables: {OUTSIDE: 1}}
      container:
        image: debian
        environment: {Variables: {INSIDE: 2}}
""").functions
    assert (function.environment, function.container_environment) == ({"OUTSIDE": "1"}, {"INSIDE": "2"})


@pytest.mark.parametrize("written", ["debug", "Debug", "DEBUG"])
def test_a_log_level_may_be_lower_case(load_lambda: Load, written: str) -> None:
    assert load_lambda(f"log_level: {written}").functions[0].log_level == "DEBUG"


@pytest.mark.parametrize("written", ["2048", "{Size: 2048}"])
def test_ephemeral_storage_is_a_number_or_has_the_shape_of_aws(load_lambda: Load, written: str) -> None:
    assert load_lambda(f"ephemeral_storage: {written}").functions[0].ephemeral_storage == 2048


@pytest.mark.parametrize(("timeout", "kept"), [(1, 0), (5, 2), (20, 10), (900, 10)])
def test_a_short_timeout_leaves_at_least_half_of_it_to_the_script(load_lambda: Load, timeout: int, kept: int) -> None:
    assert load_lambda(f"timeout: {timeout}").functions[0].timeout_threshold == kept


def test_files_are_found_beside_the_fdl_file_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "image").mkdir(parents=True)
    (project / "image" / "index.json").write_text("{}")
    (project / "script.sh").write_text("#!/bin/sh\n")
    (project / "video.yaml").write_text(
        "functions: {aws: [{lambda: {name: a, init_script: script.sh, container: {image_file: ../project/image}}}]}"
    )
    monkeypatch.chdir(tmp_path)
    fdl = load("project/video.yaml")
    assert fdl.path == project / "video.yaml"
    assert fdl.functions[0].init_script == project / "script.sh"
    assert fdl.functions[0].image_file == project / "image"
    assert fdl.functions[0].image is None


def test_what_cannot_be_an_image_is_told_before_anything_is_deployed(mistakes: Mistakes, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder").mkdir()
    text = "functions: {{aws: [{{lambda: {{name: a, container: {{image_file: {}}}}}}}]}}".format
    place = "1:62 functions.aws[0].lambda.container.image_file:"
    assert mistakes(text("notes.txt")) == [
        f"{place} 'notes.txt' is not a tar archive; make one with docker save -o FILE IMAGE"
    ]
    (folder,) = mistakes(text("folder"))
    assert folder.startswith(f"{place} 'folder' is not an image: it has none of manifest.json, index.json, Dockerfile")


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/usr/bin/env bash", "# no interpreter"])
def test_a_shell_script_with_windows_line_ends_is_warned_about(load_lambda: Load, tmp_path: Path, first: str) -> None:
    (tmp_path / "script.sh").write_bytes(f"{first}\r\necho\r\n".encode())
    (warning,) = load_lambda("init_script: script.sh").warnings
    assert "Windows line endings" in warning.message


@pytest.mark.parametrize("text", [b"#!/usr/bin/env python3\r\nprint()\r\n", b"#!/bin/sh\necho\n", b""])
def test_line_ends_that_the_interpreter_takes_are_not_warned_about(
    load_lambda: Load, tmp_path: Path, text: bytes
) -> None:
    (tmp_path / "script.py").write_bytes(text)
    assert load_lambda("init_script: script.py").warnings == ()


def test_role_region_retention_architecture_and_tags_are_taken_over(load_text: Load) -> None:
    (function,) = load_text("""\
functions:
  aws:
  - lambda:
      name: a
      region: eu-west-1
      architectures: [arm64]
      container: {image: "registry.example.org:5000/group/name:1.2"}
      tags: {project: x, cost-center: 42}
    iam: {role: "arn:aws:iam::123456789012:role/service/runner"}
    cloudwatch: {log_retention_policy_in_days: 7, region: eu-west-1}
""").functions
    assert (function.region, function.architecture, function.log_retention) == ("eu-west-1", "arm64", 7)
    assert function.role == "arn:aws:iam::123456789012:role/service/runner"
    assert function.tags == {"project": "x", "cost-center": "42"}


@pytest.mark.parametrize(
    "image",
    [
        "debian",
        "debian:12",
        "grycap/cowsay",
        "localhost:5000/a/b_c/d-e:v1.0",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/name",
        f"ghcr.io/group/name:tag@sha256:{'0123456789abcdef' * 4}",
    ],
)
def test_registry_references_are_accepted(load_text: Load, image: str) -> None:
    fdl = load_text(f"functions: {{aws: [{{lambda: {{name: a, container: {{image: '{image}'}}}}}}]}}")
    assert fdl.functions[0].image == image


def test_outputs_may_go_to_a_declared_account_whose_keys_stay_out_of_sight(load_text: Load) -> None:
    fdl = load_text("""\
functions:
  aws:
  - lambda:
      name: a
      container: {image: debian}
      output:
      - {storage_provider: s3.archive, path: bucket/out, prefix: [result-], suffix: [wav, srt]}
storage_providers:
  s3:
    archive: {access_key: AKIAEXAMPLE, secret_key: hunter2, region: eu-west-1}
""")
    assert fdl.functions[0].output == (
        StoragePath("s3", "archive", "bucket", "out", prefix=("result-",), suffix=("wav", "srt")),
    )
    assert fdl.storage_providers["s3"]["archive"]["secret_key"] == "hunter2"
    assert "hunter2" not in repr(fdl)
    assert fdl.warnings == ()


def test_jobs_take_variables_that_lambda_refuses(load_text: Load, mistakes: Callable[[str], list[str]]) -> None:
    def text(mode: str) -> str:
        names = f"{{AWS_ACCESS_KEY_ID: key, A-1: x, LONG: '{'x' * 5000}'}}"
        container = f"{{image: debian, environment: {{Variables: {names}}}}}"
        return f"functions: {{aws: [{{lambda: {{name: a, execution_mode: {mode}, container: {container}}}}}]}}\n"

    assert load_text(text("batch")).functions[0].container_environment.keys() == {"AWS_ACCESS_KEY_ID", "A-1", "LONG"}
    for mode in ("lambda", "lambda-batch"):
        reserved, name, size = mistakes(text(mode))
        assert "is reserved: Lambda or the supervisor sets it; choose another name" in reserved + name + size
        assert "'A-1' is not a name that Lambda accepts" in reserved + name + size
        assert "Lambda's maximum is 4,096" in reserved + name + size


def test_a_script_may_stand_in_the_file_itself(load_text: Load) -> None:
    fdl = load_text("""\
functions:
  aws:
  - lambda:
      name: a
      container: {image: debian}
      init_script: |
        #!/bin/sh
        echo hello
  oscar:
  - lab:
      name: s
      image: x
      script: |
        echo hello
""")
    assert fdl.functions[0].init_script == "#!/bin/sh\necho hello\n"
    assert fdl.oscar[0].script == "echo hello\n"
    assert fdl.elsewhere == ()
