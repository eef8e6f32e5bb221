"""What is deployed, where, and how it is reached: the way in for programs that use deployed functions.

    deployments = Deployments.find(stack="local")
    function = deployments.function("thumbnails")
    invocation = call_function(function, Call(text_body("hello")), deployments.clients)

Importing this package is cheap; the engine and the AWS SDK are imported when something needs them.
"""

from scar_foundation.directories import DEFAULT_STACK
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.stacks import DeployedStack, stack_hint

__all__ = ["DEFAULT_STACK", "DeployedStack", "Deployments", "stack_hint"]
