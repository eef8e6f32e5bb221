"""What a checked FDL file may say that cannot be deployed, at all or on a stack of this kind."""

from collections.abc import Iterator

from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deploy.arguments import batch_problems
from scar_pulumi.fdl import Fdl, Function, Problem

_CLUSTERS_STORAGE = "functions on AWS do not know where the MinIO of the cluster '{}' is"


def undeployable(fdl: Fdl, stack: str) -> tuple[Problem, ...]:
    """Everything in the file that cannot be deployed on a stack, in its order; empty if all of it can."""
    problems = [found for function in fdl.functions for found in (*_endpoint(fdl, function), *_batch(fdl, function))]
    if not is_local_stack(stack):
        problems += [*_storages(fdl), *_image_files(fdl), *_scripts(fdl)]
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _endpoint(fdl: Fdl, function: Function) -> Iterator[Problem]:
    if function.api_gateway is not None and function.api_gateway.authorization == "CUSTOM":
        path = f"{function.path}.api_gateway.method.authorizationType"
        message = "'CUSTOM' needs an authorizer function, which FDL cannot name"
        yield Problem(*fdl.mark(path), path, message, "use JWT or AWS_IAM")


def _batch(fdl: Fdl, function: Function) -> Iterator[Problem]:
    """Find what Batch would refuse; each message says itself what to do."""
    path = f"{function.path}.batch"
    for message in batch_problems(function):
        yield Problem(*fdl.mark(path), path, message)


def _storages(fdl: Fdl) -> Iterator[Problem]:
    """Find uses of a cluster's MinIO: only its operator knows the address where functions on AWS reach it."""
    for function in fdl.functions:
        for direction, places in (("input", function.input), ("output", function.output)):
            for index, place in enumerate(places):
                declared = fdl.storage_providers.get(place.provider, {})
                if (place.provider, place.provider_id) != ("s3", "default") and place.provider_id not in declared:
                    path = f"{function.path}.lambda.{direction}[{index}].storage_provider"
                    hint = f"declare its endpoint and keys below storage_providers.{place.provider}.{place.provider_id}"
                    yield Problem(*fdl.mark(path), path, _CLUSTERS_STORAGE.format(place.provider_id), hint)


def _image_files(fdl: Fdl) -> Iterator[Problem]:
    """Find images of services in files: only the local cloud takes them, clusters pull theirs from a registry."""
    for service in fdl.oscar:
        if service.image_file is not None and not service.image:
            path = f"{service.path}.image_file"
            message = "works on local stacks only: a cluster pulls its images from a registry"
            yield Problem(*fdl.mark(path), path, message, "push the image, and give its reference as 'image' beside it")


def _scripts(fdl: Fdl) -> Iterator[Problem]:
    """Find services without a script: the local cloud runs what the image itself starts, OSCAR refuses them."""
    for service in fdl.oscar:
        if service.script is None:
            hint = "name the script that runs for each event; only local stacks need none"
            yield Problem(*fdl.mark(service.path), service.path, "'script' is missing, which OSCAR needs", hint)
