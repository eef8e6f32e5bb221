"""Names that are unique per stack: with `scar:uniqueNames`, stacks of one file live side by side in one account.

Names of functions are unique in an account and region, and those of buckets in the world; all else that a stack makes
has names of its own already.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from scar_components.naming import LOWER_CASE, WORD, legal_name
from scar_foundation.limits import LAMBDA_NAME_CHARACTERS, MAPREDUCE_NAME_CHARACTERS, S3_BUCKET_CHARACTERS
from scar_foundation.oscar_limits import SERVICE_NAME_CHARACTERS
from scar_pulumi.fdl import Fdl, OscarService, StoragePath


def with_unique_names(fdl: Fdl, stack: str) -> Fdl:
    """Return a file's data with `-STACK` behind the name of each function, service and bucket that is the stack's.

    Names that become too long end with a digest. Buckets of other accounts and servers keep their names.
    """
    ending = stack.rpartition("/")[2]
    clusters = {service.cluster for service in fdl.oscar} | set(fdl.clusters)
    place = partial(_place, ending=ending, clusters=clusters)
    functions = tuple(
        replace(one, name=_name(one.name, ending, LAMBDA_NAME_CHARACTERS), **_places(one, place))
        for one in fdl.functions
    )
    mapreduces = tuple(
        replace(one, name=_name(one.name, ending, MAPREDUCE_NAME_CHARACTERS), **_places(one, place))
        for one in fdl.mapreduces
    )
    services = tuple(_service(one, ending, place) for one in fdl.oscar)
    return replace(fdl, functions=functions, mapreduces=mapreduces, oscar=services)


def _service(service: OscarService, ending: str, place: Callable[[StoragePath], StoragePath]) -> OscarService:
    name = legal_name(f"{service.name}-{ending.lower()}", SERVICE_NAME_CHARACTERS, LOWER_CASE)
    own = {"minio.default": f"minio.{service.cluster}"}

    def of_service(path: StoragePath) -> StoragePath:
        provider = f"{path.provider}.{path.provider_id}"
        known = replace(path, provider_id=own.get(provider, provider).partition(".")[2])
        return replace(path, bucket=place(known).bucket)

    return replace(service, name=name, **_places(service, of_service))


def _name(name: str, ending: str, most: int) -> str:
    return legal_name(f"{name}-{ending}", most, WORD)


def _places(owner: Any, place: Callable[[StoragePath], StoragePath]) -> dict[str, Any]:
    return {"input": tuple(map(place, owner.input)), "output": tuple(map(place, owner.output))}


def _place(path: StoragePath, *, ending: str, clusters: set[str]) -> StoragePath:
    is_ours = (path.provider, path.provider_id) == ("s3", "default") or (
        path.provider == "minio" and path.provider_id in clusters
    )
    return replace(path, bucket=bucket_name(path.bucket, ending)) if is_ours else path


def bucket_name(bucket: str, ending: str) -> str:
    """Return the name of a stack's own bucket."""
    return legal_name(f"{bucket}-{ending.lower()}", S3_BUCKET_CHARACTERS, f"{LOWER_CASE}.")
