"""The components for programs in YAML: the genuine language host, plain `pulumi`, no Python of the user's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Terminal
from tests.world.failing_runs import failing_runs
from tests.world.pulumi_programs import PlainPulumi

pytestmark = pytest.mark.xdist_group("main_job")

PROGRAM = """
name: yaml-shouting
runtime: yaml
resources:
  photos:
    type: scar:StorageBucket
    properties: {bucket: yaml-photos}
  shout:
    type: scar:LambdaContainerFunction
    properties:
      imageFile: busybox.tar
      script: shout.sh
      memory: 256
      inputs: [{provider: s3.default, path: "${photos.bucket}/in"}]
      outputs: [{provider: s3.default, path: "${photos.bucket}/out"}]
  triggers:
    type: scar:BucketTriggers
    properties:
      bucket: ${photos.bucket}
      triggers: [{functionName: shout, functionArn: "${shout.arn}", prefix: in/}]
outputs:
  arn: ${shout.arn}
"""


def test_a_program_is_previewed_deployed_used_and_unchanged_afterwards(
    start_program: Callable[[str], PlainPulumi], terminal: Terminal, tmp_path: Path
) -> None:
    program = start_program(PROGRAM)
    assert "function:shout" in program.preview()
    program.up()
    (tmp_path / "word.txt").write_text("hey")
    terminal.scar("put", "yaml-photos/in", tmp_path / "word.txt")
    assert terminal.wait_for_keys("yaml-photos/out", 1) == ["out/shouted.txt"]
    program.preview("--expect-no-changes")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("imageFile:", "imageFil:", "Property imageFil does not exist on 'scar:index:LambdaContainerFunction'"),
        ("imageFile: busybox.tar", "imageFile: none.tar", "imageFile none.tar: no such file or directory"),
        ("script: shout.sh", "script: none.sh", "script none.sh: cannot be read"),
        ("memory: 256", "memory: 64", "memory"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_program(
    start_program: Callable[[str], PlainPulumi], right: str, wrong: str, told: str
) -> None:
    shown = start_program(PROGRAM.replace(right, wrong)).preview(code=1)
    assert told in shown
    assert "Traceback" not in shown
    assert "image_file" not in shown


def test_no_failing_run_hangs(start_program: Callable[[str], PlainPulumi]) -> None:
    function = "{type: scar:LambdaContainerFunction, properties: {imageFile: busybox.tar, script: shout.sh}}"
    queue = "{type: aws:sqs:Queue, properties: {delaySeconds: 5000}}"
    more = f"  second: {function}\n  third: {function}\n  queue: {queue}\n"
    program = start_program(PROGRAM.replace("outputs:\n  arn", f"{more}outputs:\n  arn"))
    for _ in failing_runs(2):
        assert "is 5000; AWS takes 0 to 900" in program.up(code=1)
