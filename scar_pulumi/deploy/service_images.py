"""The image of a service on an OSCAR cluster: a reference, or on a local stack a file of this machine."""

from scar_components.supervised_image import planned_digest
from scar_pulumi.fdl import OscarService


def service_image(service: OscarService, *, local: bool) -> dict[str, str]:
    """Return the keys of a service's definition that name its image.

    The local cloud reads `image_file` itself; the digest beside it makes a changed file a change of the service.
    """
    if service.image_file is None or not local:
        return {"image": str(service.definition["image"])}
    digest = planned_digest(service.name, {"image_file": str(service.image_file)})
    return {"image": f"{service.image_file.name}@{digest}", "image_file": str(service.image_file)}
