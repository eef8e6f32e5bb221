"""Parts of bundle.py, which builds the supervisor layer."""


class BundleError(Exception):
    """The layer cannot be built here; the message says why and what to do."""
