"""The Pulumi engine: its CLI, found or built, and the operations on stacks that it does.

`python -m scar_pulumi.engine` prepares it. The names stand in `__init__.pyi`. Each is imported when it is first used:
the Automation API takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
