"""What a checked FDL file may say that no component of this release can deploy."""

from collections.abc import Iterator

from scar_pulumi.declarations.batch import batch_problems
from scar_pulumi.fdl import Fdl, Function, Problem
from scar_pulumi.local import is_local_stack

_CLUSTERS_STORAGE = "functions are not given the keys of the MinIO server of an OSCAR cluster, '{}'"


def undeployable(fdl: Fdl, stack: str) -> tuple[Problem, ...]:
    """Everything in the file that cannot be deployed on a stack, in its order; empty if all of it can."""
    said = [place for function in fdl.functions for place in (*_function(function), *_storages(fdl, function))]
    said += [
        (service.path, f"'{service.name}' is a service on an OSCAR cluster, which this release cannot deploy")
        for service in fdl.oscar
    ]
    problems = [_problem(fdl, path, message) for path, message in said]
    problems += () if is_local_stack(stack) else _image_files(fdl)
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _function(function: Function) -> Iterator[tuple[str, str]]:
    for message in batch_problems(function):
        yield f"{function.path}.batch", message
    if function.api_gateway is not None and function.api_gateway.authorization == "CUSTOM":
        message = "'CUSTOM' needs an authorizer of your own, which this release cannot deploy"
        yield f"{function.path}.api_gateway.method.authorizationType", message


def _storages(fdl: Fdl, function: Function) -> Iterator[tuple[str, str]]:
    for direction, places in (("input", function.input), ("output", function.output)):
        for index, place in enumerate(places):
            declared = fdl.storage_providers.get(place.provider, {})
            if (place.provider, place.provider_id) != ("s3", "default") and place.provider_id not in declared:
                path = f"{function.path}.lambda.{direction}[{index}].storage_provider"
                yield path, _CLUSTERS_STORAGE.format(place.provider_id)


def _image_files(fdl: Fdl) -> Iterator[Problem]:
    """Files that only the local cloud can take for the image of a service: clusters fetch theirs from a registry."""
    for service in fdl.oscar:
        if service.image_file is not None and not service.definition.get("image"):
            path = f"{service.path}.image_file"
            message = "is for local stacks: a cluster fetches its images from a registry"
            yield Problem(*fdl.mark(path), path, message, "push the image, and give its reference as 'image' beside it")


def _problem(fdl: Fdl, path: str, message: str) -> Problem:
    return Problem(
        *fdl.mark(path), path, message, "`scar-pulumi fdl check` accepts it; leave it out to deploy the rest"
    )
