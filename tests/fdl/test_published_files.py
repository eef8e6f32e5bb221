"""Files as SCAR's manual shows them: what has a meaning here works, what has none is accepted with a note."""

from collections.abc import Callable
from pathlib import Path

from scar_pulumi.fdl import Fdl

Load = Callable[..., Fdl]


def test_a_function_with_an_image_only(load_text: Load) -> None:
    fdl = load_text(
        "functions:\n  aws:\n  - lambda:\n      name: scar-cowsay\n      container:\n        image: x/cowsay\n"
    )
    assert fdl.functions[0].name == "scar-cowsay"
    assert fdl.warnings == ()


def test_a_function_between_two_folders(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "grayify.sh").write_text("#!/bin/sh\n")
    (function,) = load_text("""\
functions:
  aws:
  - lambda:
      runtime: image
      name: scar-imagemagick
      memory: 2048
      init_script: grayify.sh
      container:
        image: x/imagemagick
        alpine: false
      input:
      - storage_provider: s3
        path: scar-imagemagick/input
      output:
      - storage_provider: s3
        path: scar-imagemagick/output
        suffix:
          - wav
          - srt
        prefix:
          - result-
    ecr:
      delete_image: true
""").functions
    assert [str(place) for place in (*function.input, *function.output)] == [
        "scar-imagemagick/input",
        "scar-imagemagick/output",
    ]
    assert function.output[0].prefix == ("result-",)


def test_everything_of_the_manual_that_has_no_effect_is_noted(load_text: Load) -> None:
    fdl = load_text("""\
functions:
  aws:
  - lambda:
      boto_profile: default
      region: us-east-1
      name: function1
      runtime: python3.7
      memory: 1024
      layers:
      - arn:aws:lambda:us-east-1:123456789012:layer:x:1
      run_script: runcow.sh
      environment:
        Variables:
          UDOCKER_BIN: /opt/udocker/bin/
      container:
        image: x/ffmpeg:4.1
        timeout_threshold: 10
        alpine: true
        create_image: false
      deployment:
        bucket: scar-test
      supervisor:
        version: latest
    iam:
      boto_profile: mine
      role: ""
    cloudwatch:
      region: us-east-1
      log_retention_policy_in_days: 30
    s3:
      region: us-east-1
storage_providers:
  minio:
    my_minio: {endpoint: minio-endpoint, access_key: muser, secret_key: mpass}
scar:
  config_version: 1.0.9
""")
    noted = [warning.path.rpartition(".")[2] for warning in fdl.warnings]
    assert noted == [
        *("runtime", "layers", "run_script", "alpine", "create_image", "deployment", "supervisor"),
        *("boto_profile", "s3", "scar"),
    ]
    assert all(warning.severity == "warning" and warning.line for warning in fdl.warnings)
    assert fdl.functions[0].role is None


def test_logs_in_another_region_than_the_function_are_noted(load_text: Load) -> None:
    fdl = load_text("""\
functions:
  aws:
  - lambda: {name: a, region: eu-west-1, container: {image: debian}}
    cloudwatch: {region: us-east-1}
""")
    assert [str(warning).partition(" ")[2] for warning in fdl.warnings] == [
        "functions.aws[0].cloudwatch.region: has no effect: logs are in the function's region, eu-west-1",
    ]
