import os
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from scar_foundation.errors import InputError
from scar_pulumi.client.objects import Location, objects, remove_contents, remove_object
from scar_pulumi.client.transfer import Fetched, content_type, download, plan_downloads, plan_uploads, upload

ODD = [
    "a b.txt",
    "a+b.txt",
    "100%.txt",
    "%2B.txt",
    "naïve-日本.txt",
    "q?x=#1&y.txt",
    "tab\there.txt",
    "🖼.png",
    "'\".txt",
]


def put(s3: Any, place: str, *paths: Path) -> list[str]:
    location = Location.parse(place)
    return sorted(item.key for item in upload(s3, location.bucket, plan_uploads(location, paths)))


def get(s3: Any, place: str, folder: Path, *, overwrite: bool = False) -> dict[str, str]:
    location = Location.parse(place)
    downloads, refused = plan_downloads(s3, location, folder)
    fetched: list[Fetched] = [*refused, *download(s3, location.bucket, folder, downloads, overwrite=overwrite)]
    return {item.key: item.outcome for item in fetched}


def keys(s3: Any, place: str) -> list[str]:
    return [item.key for item in objects(s3, Location.parse(place))]


def files_below(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_odd_names_go_up_and_come_back_as_they_are(s3: Any, bucket: str, tmp_path: Path) -> None:
    files = {name: name.encode() for name in ODD}
    source = tree(tmp_path / "source", files)
    assert put(s3, f"{bucket}/in", source) == sorted(f"in/{name}" for name in ODD)
    assert sorted(keys(s3, f"{bucket}/in")) == sorted(f"in/{name}" for name in ODD)
    get(s3, f"{bucket}/in", tmp_path / "back")
    assert {name: (tmp_path / "back" / name).read_bytes() for name in ODD} == files


def test_a_folder_keeps_its_structure_and_a_file_its_name(s3: Any, bucket: str, tmp_path: Path) -> None:
    source = tree(tmp_path / "source", {"a.txt": b"a", "x/a.txt": b"xa", "x/y/b.txt": b"", ".hidden": b"h"})
    single = tree(tmp_path, {"single.txt": b"s"}) / "single.txt"
    assert put(s3, f"{bucket}/in/", source, single) == [
        "in/.hidden",
        "in/a.txt",
        "in/single.txt",
        "in/x/a.txt",
        "in/x/y/b.txt",
    ]
    assert s3.head_object(Bucket=bucket, Key="in/x/y/b.txt")["ContentLength"] == 0
    get(s3, f"{bucket}/in/x", tmp_path / "back")
    assert files_below(tmp_path / "back") == ["a.txt", "y/b.txt"]


def test_a_large_file_goes_in_parts_and_its_bytes_are_counted(s3: Any, bucket: str, tmp_path: Path) -> None:
    content = os.urandom(20_000_000)
    source = tree(tmp_path, {"large.bin": content}) / "large.bin"
    moved: list[int] = []
    location = Location(bucket)
    list(upload(s3, bucket, plan_uploads(location, [source]), moved.append))
    assert sum(moved) == len(content)
    assert "-" in s3.head_object(Bucket=bucket, Key="large.bin")["ETag"]
    assert get(s3, bucket, tmp_path / "back") == {"large.bin": "downloaded"}
    assert (tmp_path / "back" / "large.bin").read_bytes() == content
    assert get(s3, bucket, tmp_path / "back") == {"large.bin": "unchanged"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "image/jpeg"),
        ("a.txt", "text/plain"),
        ("a.unheard-of", "application/octet-stream"),
        ("a.tar.gz", "application/gzip"),
    ],
)
def test_objects_get_the_type_of_their_names(s3: Any, bucket: str, tmp_path: Path, name: str, kind: str) -> None:
    put(s3, bucket, tree(tmp_path, {name: b"x"}) / name)
    assert s3.head_object(Bucket=bucket, Key=name)["ContentType"] == kind


def test_a_folder_does_not_take_in_its_neighbours(s3: Any, bucket: str, tmp_path: Path) -> None:
    for key in ("in", "in/a", "inner/b", "in2"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert keys(s3, f"{bucket}/in") == ["in", "in/a"]
    assert keys(s3, f"{bucket}/in/") == ["in/a"]
    remove_contents(s3, Location(bucket, "in/"))
    assert keys(s3, bucket) == ["in", "in2", "inner/b"]


def test_one_object_comes_under_its_own_name(s3: Any, bucket: str, tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="out/deep/result.txt", Body=b"x")
    assert get(s3, f"{bucket}/out/deep/result.txt", tmp_path / "back") == {"out/deep/result.txt": "downloaded"}
    assert files_below(tmp_path / "back") == ["result.txt"]


@pytest.mark.parametrize("key", ["in/../../outside", "in//etc/passwd", "in/x/../../../outside", "in/./x"])
def test_keys_that_lead_elsewhere_are_refused_and_the_others_arrive(
    s3: Any, bucket: str, tmp_path: Path, key: str
) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"bad")
    s3.put_object(Bucket=bucket, Key="in/good", Body=b"good")
    assert get(s3, f"{bucket}/in", tmp_path / "a" / "b") == {key: "refused", "in/good": "downloaded"}
    assert files_below(tmp_path) == ["a/b/good"]


def test_a_link_in_the_folder_is_no_way_out(s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "outside")
    s3.put_object(Bucket=bucket, Key="link/file", Body=b"bad")
    assert get(s3, bucket, tmp_path / "folder") == {"link/file": "refused"}
    assert files_below(tmp_path / "outside") == []


def test_a_differing_file_is_left_alone_unless_told_otherwise(s3: Any, bucket: str, tmp_path: Path) -> None:
    for key in ("same", "longer", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
    folder = tree(tmp_path / "back", {"same": b"12345", "longer": b"123456", "other": b"abcde"})
    assert get(s3, bucket, folder) == {"same": "unchanged", "longer": "differs", "other": "differs"}
    assert (folder / "other").read_bytes() == b"abcde"
    assert get(s3, bucket, folder, overwrite=True) == {
        "same": "unchanged",
        "longer": "downloaded",
        "other": "downloaded",
    }
    assert files_below(folder) == ["longer", "other", "same"]
    assert (folder / "longer").read_bytes() == b"12345"


def test_what_cannot_be_a_file_is_refused_with_the_reason(s3: Any, bucket: str, tmp_path: Path) -> None:
    for key in ("a", "a/b", "n" * 300, "folder/"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    outcomes = get(s3, bucket, tmp_path / "back")
    assert outcomes.pop("n" * 300) == "refused"
    assert sorted(outcomes.values()) == ["downloaded", "refused"]
    assert [path for path in (tmp_path / "back").iterdir() if path.name.startswith(".scar-get-")] == []


def test_two_files_for_one_key_are_refused_before_anything_is_sent(s3: Any, bucket: str, tmp_path: Path) -> None:
    tree(tmp_path, {"x/a.txt": b"1", "y/a.txt": b"2"})
    with pytest.raises(InputError, match=r"y/a\.txt: would get the same key as .*x/a\.txt"):
        put(s3, f"{bucket}/in", tmp_path / "x" / "a.txt", tmp_path / "y" / "a.txt")
    assert keys(s3, bucket) == []


def test_everything_that_cannot_be_uploaded_is_named_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        plan_uploads(Location("b"), [tmp_path, tmp_path / "missing"])
    for part in ("pipe: not an ordinary file", "dangling: a broken link", "missing: no such file"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match="there are no files in it"):
        plan_uploads(Location("b"), [tmp_path / "empty"])


def test_removing_a_bucket_takes_versions_markers_and_unfinished_uploads(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="before versions", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    remove_contents(s3, Location(bucket))
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(botocore.exceptions.ClientError):
        s3.head_bucket(Bucket=bucket)


def test_more_objects_than_a_page_are_listed_and_removed(s3: Any, bucket: str, tmp_path: Path) -> None:
    files = {f"f{number:04}": b"" for number in range(1100)}
    put(s3, f"{bucket}/many", tree(tmp_path / "many", files))
    assert len(keys(s3, f"{bucket}/many")) == 1100
    assert remove_contents(s3, Location(bucket, "many")) == 1100
    assert keys(s3, bucket) == []


def test_removing_an_object_that_is_not_there_is_an_error(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="there", Body=b"")
    remove_object(s3, Location(bucket, "there"))
    with pytest.raises(botocore.exceptions.ClientError, match="404"):
        remove_object(s3, Location(bucket, "there"))


def test_a_failing_upload_stops_the_others_and_is_told(s3: Any, tmp_path: Path) -> None:
    source = tree(tmp_path / "source", {f"f{number}": b"x" for number in range(50)})
    with pytest.raises(Exception, match="NoSuchBucket"):
        put(s3, "no-such-bucket-anywhere", source)


def test_compressed_files_are_not_taken_for_what_they_hold() -> None:
    assert [content_type(name) for name in ("a.tar.gz", "a.csv.xz", "a.csv", "noext")] == [
        "application/gzip",
        "application/x-xz",
        "text/csv",
        "application/octet-stream",
    ]
