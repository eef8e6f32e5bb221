import pytest

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.outputs import StackOutputs


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
