"""Buckets and images as components: other languages have no dynamic resources of Python."""

from typing import Optional

from pulumi import ComponentResource, Output, ResourceOptions

from scar_components import storage_bucket, supervised_image
from scar_components.storage_bucket import StorageBucketArgs
from scar_components.supervised_image import SupervisedImageArgs


class StorageBucket(ComponentResource):
    """A bucket for the files of functions.

    It is created if it does not exist and adopted if it does. Destroying the stack keeps it with its objects, unless
    the stack created it and has `scar:deleteBuckets: true`. Adopted buckets are never deleted or tagged.
    """

    bucket: Output[str]
    """Name of the bucket."""
    managed: Output[bool]
    """Whether this stack created it."""

    def __init__(self, name: str, args: StorageBucketArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the bucket."""
        super().__init__("scar:index:StorageBucket", name, None, opts)
        made = storage_bucket.StorageBucket(name, args, ResourceOptions(parent=self))
        self.bucket, self.managed = made.bucket, made.managed
        self.register_outputs({"bucket": self.bucket, "managed": self.managed})


class SupervisedImage(ComponentResource):
    """An image of a base image's unchanged layers, the supervisor and the function's script, pushed to a repository.

    The image is planned while the program runs, so previews show its digest and mistakes in the base; `up` pushes what
    the repository lacks.
    """

    image_uri: Output[str]
    """Reference of the image, pinned: `<repository_url>@<digest>`."""
    digest: Output[str]
    """Digest of the image's manifest, `sha256:…`. Known in previews."""

    def __init__(self, name: str, args: SupervisedImageArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the image."""
        super().__init__("scar:index:SupervisedImage", name, None, opts)
        made = supervised_image.SupervisedImage(name, args, ResourceOptions(parent=self))
        self.image_uri, self.digest = made.image_uri, made.digest
        self.register_outputs({"image_uri": self.image_uri, "digest": self.digest})
