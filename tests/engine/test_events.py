"""Messages of the engine as sentences."""

import pytest

from scar_pulumi.engine.events import clean_message

INVOKE = (
    "invoke of aws:ec2/getSubnet:getSubnet failed: invocation of aws:ec2/getSubnet:getSubnet returned an error: "
    "no matching EC2 Subnets found"
)
SDK = '  File "/x/site-packages/pulumi/runtime/stack.py", line 211, in wait_for_rpcs\n    await task\n'
OURS = '  File "/x/program.py", line 3, in <module>\n    broken()\n'


def traceback(frames: str, raised: str) -> str:
    return f"python inline source runtime error: {raised}\nTraceback (most recent call last):\n{frames}{raised}"


@pytest.mark.parametrize(
    "message", [INVOKE, f"Exception calling application: {INVOKE}", traceback(OURS + SDK, f"Exception: {INVOKE}")]
)
def test_what_a_provider_answers_is_one_sentence_however_the_engine_passes_it_on(message: str) -> None:
    assert clean_message(message) == "aws:ec2/getSubnet:getSubnet: no matching EC2 Subnets found"


def test_a_mistake_in_a_program_keeps_its_traceback() -> None:
    assert "program.py" in clean_message(traceback(OURS, "NameError: broken"))
