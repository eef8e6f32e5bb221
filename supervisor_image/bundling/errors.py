"""The one exception of the bundle builder."""


class BundleError(Exception):
    """The bundle cannot be built here; the message says why and what to do."""
