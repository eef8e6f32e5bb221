import base64
import json
from pathlib import Path

import pytest

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import count, printable, size
from scar_pulumi.cli.logs import since
from scar_pulumi.client.call import (
    Body,
    Call,
    binary_body,
    json_body,
    lambda_event,
    mixed_body,
    read_file,
    read_parameters,
    text_body,
)
from scar_pulumi.client.objects import Location
from scar_pulumi.client.outputs import StackOutputs
from scar_pulumi.client.transfer import content_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b", Location("b")),
        ("b/", Location("b")),
        ("b/in", Location("b", "in")),
        ("b/in/deep/", Location("b", "in/deep/")),
        ("s3://b/in", Location("b", "in")),
        ("b/a b+%c", Location("b", "a b+%c")),
    ],
)
def test_a_location_is_a_bucket_and_what_follows(text: str, expected: Location) -> None:
    assert Location.parse(text) == expected


@pytest.mark.parametrize("text", ["", "/", "/in", "s3://", "s3:///in"])
def test_a_location_needs_a_bucket(text: str) -> None:
    with pytest.raises(InputError, match="no bucket is named"):
        Location.parse(text)


def test_a_location_holds_its_object_and_its_folder_and_no_neighbours() -> None:
    place = Location("b", "in")
    assert [key for key in ("in", "in/", "in/a", "in/a/b", "inner/a", "in2", "x/in") if place.holds(key)] == [
        "in",
        "in/",
        "in/a",
        "in/a/b",
    ]
    assert Location("b").holds("anything")


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '"aGk="', "5", "null"])
def test_json_text_is_the_event_as_it_stands(text: str) -> None:
    assert lambda_event(Call(text_body(text))) == text.encode()


@pytest.mark.parametrize("text", ["x", "hello world", "{not json", "", "naïve"])
def test_other_text_becomes_the_content_of_the_input_file(text: str) -> None:
    assert base64.b64decode(json.loads(lambda_event(Call(text_body(text))))) == text.encode()


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00", b"1", b'"text"', b"null", b"", b"a,b\n1,2\n", b"\xff\xfe"]
)
def test_a_file_that_is_no_json_document_becomes_the_input_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    assert base64.b64decode(json.loads(lambda_event(Call(mixed_body(read_file(file)))))) == content


def test_a_json_document_is_the_event_as_it_stands() -> None:
    assert lambda_event(Call(mixed_body(b'{"Records": []}\n'))) == b'{"Records": []}\n'
    assert (
        json.loads(lambda_event(Call(binary_body(b'{"Records": []}')))) == base64.b64encode(b'{"Records": []}').decode()
    )
    assert lambda_event(Call()) == b"{}"


def test_a_call_with_parameters_is_the_request_that_a_gateway_would_pass_on() -> None:
    given = read_parameters(['{"size": 160, "name": ["a", "b"]}', "x=1&y="])
    event = json.loads(lambda_event(Call(Body(b"\xff", "image/png"), given, later=True)))
    assert event["queryStringParameters"] == {"size": "160", "name": "a,b", "x": "1", "y": ""}
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
    assert event["headers"] == {"x-amz-invocation-type": "Event"}


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.csv", "application/octet-stream"),
        ("a.json", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("-", "application/octet-stream"),
    ],
)
def test_a_file_is_named_so_that_no_gateway_takes_it_for_text(name: str, content_type: str) -> None:
    assert binary_body(b"{}", name) == Body(b"{}", content_type)


def test_what_is_said_to_be_json_has_to_be_json() -> None:
    assert json_body("[1]") == Body(b"[1]", "application/json")
    with pytest.raises(InputError, match="--json-data: is not JSON"):
        json_body("{a: 1}")
    with pytest.raises(InputError, match="--parameters: size: is neither"):
        read_parameters(["size"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.json: No such file"):
        read_file(tmp_path / "missing.json")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1w", 604800)])
def test_since_reads_durations(text: str, seconds: int) -> None:
    assert since(text, 2_000_000_000.0) == (2_000_000_000 - seconds) * 1000


def test_since_reads_dates_and_never_precedes_the_epoch() -> None:
    assert since("2026-05-01T12:00:00+00:00", 0.0) == 1_777_636_800_000
    assert since("9999w", 1_000.0) == 0


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10 minutes", "-5m", "5y"])
def test_since_says_what_it_understands(text: str) -> None:
    with pytest.raises(InputError, match="write 30s, 10m"):
        since(text, 0.0)


def test_outputs_are_read_with_what_is_missing_filled_in() -> None:
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:f"
    deployed = StackOutputs.read(
        {"functions": {"f": {"arn": arn}}, "buckets": [{"name": "b", "managed": True}], "x": 1}
    )
    function = deployed.function("f")
    assert (function.region, function.log_group, function.inputs) == ("eu-west-1", "/aws/lambda/f", ())
    assert [(bucket.name, bucket.managed) for bucket in deployed.buckets] == [("b", True)]


def test_an_unknown_function_is_told_with_the_known_and_the_similar_ones() -> None:
    deployed = StackOutputs.read({"functions": {"thumbnails": {}, "cowsay": {}}})
    with pytest.raises(InputError) as caught:
        deployed.function("thumbnail")
    assert str(caught.value) == (
        "thumbnail: no such function; did you mean thumbnails? (there are: cowsay, thumbnails)"
    )


def test_a_stack_of_somebody_else_is_told_what_is_missing() -> None:
    with pytest.raises(ScarError, match="functions: the stack has no such output"):
        StackOutputs.read({"url": "https://example.com"})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (20_000_000, "20.0 MB"),
        (500_000_000, "500 MB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes_are_short(number: int, text: str) -> None:
    assert size(number) == text


def test_things_are_counted_in_words() -> None:
    assert [count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_names_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert printable("naïve 日本 a+b%") == "naïve 日本 a+b%"


def test_compressed_files_are_not_taken_for_what_they_hold() -> None:
    assert [content_type(name) for name in ("a.tar.gz", "a.csv.xz", "a.csv", "noext")] == [
        "application/gzip",
        "application/x-xz",
        "text/csv",
        "application/octet-stream",
    ]
