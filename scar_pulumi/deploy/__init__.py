"""From an FDL file to a stack. `deploy` is the way in: what a Pulumi program calls, and `scar-pulumi up`.

It is imported when it is first used: what it declares brings pulumi-aws, which takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
