"""The local cloud: AWS's interfaces and container functions on one machine, on loopback only.

Names are imported when they are first used. Only the daemon imports the daemon's own modules.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
