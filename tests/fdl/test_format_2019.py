"""The format of 2019 is read as it was meant, and can be turned into today's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl, FdlError, load
from scar_pulumi.fdl.format_2019 import convert

Load = Callable[..., Fdl]
Mistakes = Callable[..., list[str]]
OLD = Path(__file__).with_name("files") / "old.yaml"


def test_all_functions_of_the_file_are_there_as_they_were_meant() -> None:
    plants, video = load(OLD).functions
    assert (plants.name, plants.memory, plants.timeout, plants.log_level) == ("plants", 528, 30, "DEBUG")
    assert plants.container_environment == {"ITERATIONS": "10000"}
    assert plants.environment == {"OTHER": "a=b"}
    assert [str(place) for place in plants.input] == ["scar-plants/plants/input"]
    assert [(str(place), place.per_request) for place in plants.output] == [("scar-plants/plants/output", True)]
    assert plants.batch
    assert (plants.batch.compute_resources.type, plants.batch.type) == ("SPOT", "MANAGED")
    assert plants.api_gateway
    assert plants.api_gateway.name == "plants"
    assert [(place.provider, str(place), place.per_request) for place in video.output] == [
        ("onedata", "videos/out", False),
        ("s3", "scar-video/out", False),
    ]


def test_credentials_in_variables_become_storage_providers() -> None:
    fdl = load(OLD)
    assert fdl.storage_providers == {
        "onedata": {"storage-1": {"space": "my-space", "oneprovider_host": "host.example", "token": "my-secret-token"}}
    }
    assert fdl.functions[1].environment == {}


@pytest.mark.parametrize(
    ("s3", "inputs", "outputs"),
    [
        ("{input_bucket: bkt}", ["bkt/a/input"], ["bkt/a/output*"]),
        ("{input_bucket: bkt/in/}", ["bkt/in"], ["bkt/a/output*"]),
        ("{input_bucket: bkt/in, output_bucket: bkt/out}", ["bkt/in"], ["bkt/out"]),
        ("{input_bucket: bkt/in, output_bucket: out}", ["bkt/in"], ["out/a/output*"]),
        ("{output_bucket: out/x}", [], ["out/x"]),
        ("{deployment_bucket: code}", [], []),
    ],
)
def test_buckets_without_a_folder_get_one(load_text: Load, s3: str, inputs: list[str], outputs: list[str]) -> None:
    (function,) = load_text(f"functions:\n  a:\n    image: debian\n    s3: {s3}\n").functions
    assert [str(place) for place in function.input] == inputs
    assert [f"{place}{'*' * place.per_request}" for place in function.output] == outputs


def test_mistakes_are_shown_where_they_stand(mistakes: Mistakes) -> None:
    text = """\
functions:
  cow:
    image: debian
    memory: 64
    tiem: 30
    init_script: gone.sh
  s3:
    input_bucket: Bucket
"""
    assert mistakes(text) == [
        "4:13 functions.aws[0].lambda.memory: 64 is below Lambda's minimum of 128 (MB)",
        "5:5 functions.cow.tiem: the key 'tiem' is unknown; did you mean 'time'?",
        (
            "6:18 functions.aws[0].lambda.init_script: 'gone.sh' does not exist in DIRECTORY; "
            "paths are relative to the directory of the FDL file"
        ),
        "7:3 functions.s3: 's3' is a setting, not a function; indent it below the function's name",
    ]


def test_a_converted_file_says_the_same_and_keeps_its_comments(tmp_path: Path) -> None:
    text, problems = convert(OLD)
    new = tmp_path / "new.yaml"
    new.write_text(text)
    (tmp_path / "script.sh").write_text("#!/bin/sh\n")
    old, converted = load(OLD), load(new)
    assert _without_places(converted) == _without_places(old)
    assert converted.storage_providers == old.storage_providers
    for comment in ("# What the tutorial", "# one folder", "# from the hub", "# seconds", "# of mine", "# the end"):
        assert text.count(comment) == 1
    assert "image: some/plants  # from the hub\n" in text
    assert "timeout: 30  # seconds\n" in text
    assert [problem.path for problem in problems] == ["functions.video.c_args"]


def _without_places(fdl: Fdl) -> list[object]:
    return [
        (
            one.name,
            one.memory,
            one.timeout,
            one.environment,
            one.container_environment,
            one.input,
            one.output,
            one.batch,
        )
        for one in fdl.functions
    ]


def test_a_file_of_today_is_converted_to_itself(tmp_path: Path) -> None:
    new = OLD.with_name("everything.yaml")
    assert convert(new) == (new.read_text(), ())


def test_what_cannot_be_converted_is_told(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("functions:\n  a: {image: x, environment: [NOVALUE]}\n")
    with pytest.raises(FdlError, match="NAME=value"):
        convert(path)


def test_only_comments_are_taken_for_comments(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(
        "functions:\n  a:\n    image: x  # the image\n"
        "    description: |  # said\n      # not a comment\n      text  # nor this\n    # above\n"
        "    environment:\n      AA: 'one # two\n\n        # three'\n      BB: plain#text  # behind\n"
    )
    text, _ = convert(path)
    lines = text.splitlines()
    comments = ("# the image", "# said", "# above", "# behind")
    assert [sum(comment in line for line in lines) for comment in comments] == [1, 1, 1, 1]
    assert not [line for line in lines if line.strip().startswith(("# not", "# nor", "# three"))]
    path.with_name("new.yaml").write_text(text)
    (old,), (new,) = load(path).functions, load(path.with_name("new.yaml")).functions
    assert (old.description, old.container_environment) == (new.description, new.container_environment)
