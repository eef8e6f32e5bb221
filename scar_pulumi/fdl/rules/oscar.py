"""Rules about services on OSCAR clusters."""

from collections import defaultdict
from typing import Any

from scar_foundation.oscar_rules import NO_REFRESH_TOKEN, Refusal, input_refusals, lacks_refresh_token, service_refusals
from scar_pulumi.fdl.document import Document, Link, ServiceValues


def services_fit(document: Document) -> None:
    """Check that names are unique on a cluster, and that numbers fit one another."""
    seen: dict[tuple[str, str], str] = {}
    for service in document.services():
        path, name = f"{service.path}.name", service.values.get("name")
        if name is not None and (first := seen.setdefault((service.cluster, name), path)) != path:
            message = (
                f"'{name}' is also the name of another service of cluster '{service.cluster}' ({document.line(first)})"
            )
            document.error(path, message, "give each service its own name")
        for section in ("expose", "synchronous"):
            _scale(document, f"{service.path}.{section}", service.values.get(section, {}))
        _image(document, service)
        _what_oscar_refuses(document, service)
        _volume(document, service)
        _members(document, service)
        if service.values.get("visibility") == "restricted" and not service.values.get("allowed_users"):
            document.warning(f"{service.path}.visibility", "nobody can use the service", "list 'allowed_users'")


def _image(document: Document, service: ServiceValues) -> None:
    """Report an image that only the local cloud can read: from a file."""
    if service.values.get("image_file") and not service.values.get("image"):
        message = "works on local stacks only: a cluster pulls its images from a registry"
        hint = "push the image, and give its reference as 'image' beside it"
        document.elsewhere(f"{service.path}.image_file", message, hint)


def _what_oscar_refuses(document: Document, service: ServiceValues) -> None:
    for found in service_refusals(service.values):
        # A script that was given and is wrong has been reported, and is missing from the values.
        if found.key != "script" or "script" in service.values or not document.given(f"{service.path}.script"):
            _refused(document, service, found)
    if service.values.get("replicas") and lacks_refresh_token(service.values):
        document.warning(f"{service.path}.replicas", *NO_REFRESH_TOKEN)


def _refused(document: Document, service: ServiceValues, found: Refusal) -> None:
    path = f"{service.path}.{found.key}"
    if document.given(path):
        document.error(path, found.message, found.hint)
    else:
        document.error(service.path, f"'{found.key}' {found.message}", found.hint)


def inputs_fit_their_service(document: Document) -> None:
    """Check that OSCAR can create a service's input buckets, and say what it does not do with inputs."""
    own: dict[str, list[tuple[ServiceValues, Link]]] = defaultdict(list)
    for link in document.inputs:
        if isinstance(link.owner, ServiceValues) and link.store.startswith("minio of"):
            own[link.owner.path].append((link.owner, link))
        if isinstance(link.owner, ServiceValues):
            _filters(document, link)
    for links in own.values():
        service = links[0][0]
        folders = [(link.place.bucket, link.place.path) for _, link in links]
        for found in input_refusals(service.values, folders):
            _refused(document, service, found)


def _filters(document: Document, link: Link) -> None:
    for key in ("prefix", "suffix"):
        if getattr(link.place, key):
            message = "OSCAR starts a service for every new file of the folder"
            document.warning(
                f"{link.path}.{key}", message, "let the script leave out files, or use a folder for each kind"
            )


def buckets_start_one_service(document: Document) -> None:
    """Warn where a bucket starts several services: OSCAR lets it start only the one it was made for, MinIO any."""
    seen: dict[tuple[str, str], str] = {}
    for link in document.inputs:
        if not isinstance(link.owner, ServiceValues) or not link.store.startswith("minio of"):
            continue
        first = seen.setdefault((link.store, link.place.bucket), link.owner.path)
        if first != link.owner.path:
            message = f"'{link.place.bucket}' also starts another service, which OSCAR itself lets only one do"
            hint = "`up` tells MinIO of both where it reaches it; elsewhere give each an input bucket of its own"
            document.warning(f"{link.path}.path", message, hint)


def _scale(document: Document, path: str, section: dict[str, Any]) -> None:
    least, most = section.get("min_scale"), section.get("max_scale")
    # In `synchronous` 0 is no limit.
    if least is not None and most and least > most:
        document.error(f"{path}.min_scale", f"{least} is more than max_scale, {most}", "raise max_scale")


def _volume(document: Document, service: ServiceValues) -> None:
    volume = service.values.get("volume")
    if volume and not volume.get("size") and not volume.get("name"):
        document.error(f"{service.path}.volume", "'size' is missing", "give it, or the name of a volume that exists")


def _members(document: Document, service: ServiceValues) -> None:
    values = service.values
    lists = {"federation.members": values.get("federation", {}).get("members"), "replicas": values.get("replicas")}
    for key, members in lists.items():
        for index, member in enumerate(members or ()):
            path = f"{service.path}.{key}[{index}]"
            if not isinstance(member, dict):
                continue
            wanted = "url" if member.get("type") == "endpoint" else "cluster_id"
            if not member.get(wanted):
                document.error(path, f"'{wanted}' is missing")
            elif wanted == "cluster_id" and member[wanted] not in document.clusters:
                document.warning(
                    f"{path}.cluster_id",
                    f"'{member[wanted]}' is not a cluster of this file",
                    "add it below 'clusters:'",
                )
