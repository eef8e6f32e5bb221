"""What every provider reads in the engine's requests and writes in its answers.

https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2

from scar_pulumi.stand_ins.plugin import status
from scar_pulumi.stand_ins.plugin.paths import top
from scar_pulumi.stand_ins.plugin.wire import Properties, conceal, to_struct

_KINDS = {
    "add": provider_pb2.PropertyDiff.ADD,
    "delete": provider_pb2.PropertyDiff.DELETE,
    "update": provider_pb2.PropertyDiff.UPDATE,
}
_REPLACE_KINDS = {
    "add": provider_pb2.PropertyDiff.ADD_REPLACE,
    "delete": provider_pb2.PropertyDiff.DELETE_REPLACE,
    "update": provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def told(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Every failure reaches the engine as one sentence that holds no secret of the request."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001 - the process serves other resources too
            status.abort(context, error, request)

    return answer


def resource_type(request: Any) -> str:
    """The token of a request's resource."""
    # Engines before 3.136 send the URN only: urn:pulumi:stack::project::parent$type::name.
    return str(request.type or request.urn.split("::")[2].rpartition("$")[2])


def proposed_name(request: Any) -> str | None:
    """The name that `pulumi:autonaming` asks for; "" when it forbids automatic names."""
    options = provider_pb2.CheckRequest.AutonamingOptions
    if not request.HasField("autonaming"):
        return None
    return "" if request.autonaming.mode == options.DISABLE else str(request.autonaming.proposed_name)


def check_answer(inputs: Properties, raw: Properties, failures: Iterable[tuple[str, str]]) -> Any:
    """The answer to Check: the completed inputs, as secret as they came, and what is wrong with which property."""
    found = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in failures]
    return provider_pb2.CheckResponse(inputs=to_struct(conceal(inputs, raw)), failures=found)


def difference_answer(
    paths: Mapping[str, str],
    replaced: Iterable[str],
    *,
    replacing: Callable[[str], bool],
    delete_first: bool,
    computed: frozenset[str] = frozenset(),
) -> Any:
    """The answer to Diff: changed paths as "add", "delete" or "update", those that replace, and what to replace."""
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=(_REPLACE_KINDS if replacing(path) else _KINDS)[kind], inputDiff=path not in computed
        )
        for path, kind in paths.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=list(replaced),
        diffs=sorted({top(path) for path in paths}),
        deleteBeforeReplace=delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
