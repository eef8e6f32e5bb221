"""Buckets that services on OSCAR clusters share."""

from collections.abc import Callable

from scar_pulumi.fdl import Fdl

FILE = """\
functions:
  oscar:
  - c: {name: one, image: debian, script: video.yaml, input: [{storage_provider: minio, path: raw/in}],
        output: [{storage_provider: minio, path: middle/in}]}
  - c: {name: two, image: debian, script: video.yaml, input: [{storage_provider: minio, path: PATH}],
        output: [{storage_provider: minio, path: out/out}]}
"""


def test_a_bucket_may_be_written_by_others_and_start_one_service(load_text: Callable[[str], Fdl]) -> None:
    assert load_text(FILE.replace("PATH", "middle/in")).warnings == ()
    (warning,) = load_text(FILE.replace("PATH", "raw/more")).warnings
    assert (warning.line, warning.path) == (5, "functions.oscar[1].c.input[0].path")
    assert warning.message == "'raw' also starts another service, which OSCAR itself lets only one do"
