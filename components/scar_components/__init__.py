"""Pulumi components for container functions on AWS and on OSCAR clusters.

The names stand in `__init__.pyi`. Each is imported when it is first used: `pulumi_aws` alone takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
