"""Rules about services on OSCAR clusters."""

from typing import Any

from scar_pulumi.fdl.document import Document, ServiceValues


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
        _needs_a_cluster_has(document, service)
        _volume(document, service)
        _members(document, service)
        if service.values.get("visibility") == "restricted" and not service.values.get("allowed_users"):
            document.warning(f"{service.path}.visibility", "nobody can use the service", "list 'allowed_users'")


def _needs_a_cluster_has(document: Document, service: ServiceValues) -> None:
    """Report what the local cloud does without: it reads images from files, and runs what an image itself starts."""
    if service.values.get("image_file") and not service.values.get("image"):
        message = "works on local stacks only: a cluster pulls its images from a registry"
        hint = "push the image, and give its reference as 'image' beside it"
        document.elsewhere(f"{service.path}.image_file", message, hint)
    if not service.values.get("script") and not document.given(f"{service.path}.script"):
        hint = "name the script that runs for each event; only local stacks need none"
        document.elsewhere(service.path, "'script' is missing, which OSCAR needs", hint)


def buckets_start_one_service(document: Document) -> None:
    """Warn where a bucket starts several services: OSCAR lets it start only the one it was made for."""
    seen: dict[tuple[str, str], str] = {}
    for link in document.inputs:
        if not isinstance(link.owner, ServiceValues) or not link.store.startswith("minio of"):
            continue
        first = seen.setdefault((link.store, link.place.bucket), link.owner.path)
        if first != link.owner.path:
            message = f"'{link.place.bucket}' also starts another service: on OSCAR a bucket starts only one"
            document.warning(f"{link.path}.path", message, "give each service an input bucket of its own")


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
