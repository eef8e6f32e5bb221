"""What a checked FDL file may say that no component of this release can deploy."""

from collections.abc import Iterator

from scar_pulumi.fdl import Fdl, Function, Problem

_STORAGE = "storage of type '{}' cannot be used by functions of this release"


def undeployable(fdl: Fdl) -> tuple[Problem, ...]:
    """Everything in the file that cannot be deployed, in its order; empty if all of it can."""
    said = [place for function in fdl.functions for place in _function(function)]
    said += [
        (service.path, f"'{service.name}' is a service on an OSCAR cluster, which this release cannot deploy")
        for service in fdl.oscar
    ]
    problems = (_problem(fdl, path, message) for path, message in said)
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _function(function: Function) -> Iterator[tuple[str, str]]:
    if function.batch is not None:
        message = f"'{function.execution_mode}' needs AWS Batch, which this release cannot deploy"
        yield f"{function.path}.lambda.execution_mode", message
    if function.api_gateway is not None:
        yield f"{function.path}.api_gateway", "HTTP endpoints cannot be deployed by this release"
    for direction, places in (("input", function.input), ("output", function.output)):
        for index, place in enumerate(places):
            if place.provider != "s3":
                path = f"{function.path}.lambda.{direction}[{index}].storage_provider"
                yield path, _STORAGE.format(place.provider)


def _problem(fdl: Fdl, path: str, message: str) -> Problem:
    return Problem(
        *fdl.mark(path), path, message, "`scar-pulumi fdl check` accepts it; leave it out to deploy the rest"
    )
