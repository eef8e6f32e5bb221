"""What a call may hold at most, told before anything is sent.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json

from scar_foundation.errors import InputError
from scar_pulumi.client.call import Call
from scar_pulumi.client.deployed import Function
from scar_pulumi.client.event import event_of

_WAITING = 6 * 1024 * 1024
_LATER = 1024 * 1024
# What a gateway says of a request beside its body: headers of 10 KB at most, its path, and who calls.
_AROUND = 16 * 1024


def check_size(call: Call, function: Function, *, through_gateway: bool) -> None:
    """Check that a call fits into an event.

    Raises:
        InputError: It does not; the message says how much does, and what else to do.
    """
    if call.body is None:
        return
    limit = _LATER if call.later else _WAITING
    size = _gateway_size(call) if through_gateway else len(event_of(call))
    if size <= limit:
        return
    room = limit - (size - _carried(call, through_gateway=through_gateway))
    fits = room if call.body.is_text and (call.body.is_json or through_gateway) else room * 3 // 4
    told = f"the input has {len(call.body.content):,} bytes, {'an asynchronous' if call.later else 'a'} call takes"
    raise InputError(f"{function.name}: {told} {fits:,} of it; {_way(function)}")


def _gateway_size(call: Call) -> int:
    return _AROUND + _carried(call, through_gateway=True) + sum(map(len, map(str, call.parameters)))


def _carried(call: Call, *, through_gateway: bool) -> int:
    """Bytes of the event that the body takes."""
    assert call.body
    if call.body.is_json and not through_gateway and not call.parameters:
        return len(call.body.content)
    if call.body.is_text and through_gateway:
        return len(json.dumps(call.body.content.decode(errors="replace"), ensure_ascii=False).encode())
    return -(-len(call.body.content) // 3) * 4


def _way(function: Function) -> str:
    place = next((path.path for path in function.inputs if path.provider.startswith("s3")), None)
    if place is None:
        return "give the function an `input` and put the file into that bucket"
    return f"put the file into its bucket instead: `scar-pulumi put {place} FILE`"
