from .client import LocalCloud as LocalCloud
from .client import Status as Status
from .local_stacks import is_local_stack as is_local_stack
