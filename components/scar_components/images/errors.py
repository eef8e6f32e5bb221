"""The one error of this package: the engine prints its sentence without a traceback."""

import pulumi


class ImageError(pulumi.RunError):
    """An image cannot be read, made or pushed. The message says where, what and what to do."""
