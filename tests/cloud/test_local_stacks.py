"""Which stacks are local, and what importing the package costs."""

import subprocess
import sys

import pytest

from scar_pulumi.cloud import is_local_stack


@pytest.mark.parametrize("name", ["local", "local-2", "org/project/local", "org/project/local-x"])
def test_a_stack_named_local_is_local(name: str) -> None:
    assert is_local_stack(name)


@pytest.mark.parametrize("name", ["prod", "locality", "my-local", "local/project/prod", ""])
def test_any_other_stack_is_not(name: str) -> None:
    assert not is_local_stack(name)


def test_importing_the_package_brings_neither_boto3_nor_the_emulator() -> None:
    program = "import sys, scar_pulumi.cloud; print([m for m in ('boto3', 'ministack', 'asyncio') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
