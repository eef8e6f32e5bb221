"""What a checked FDL file says that stacks other than local ones refuse."""

from dataclasses import replace

from scar_pulumi.cloud import is_local_stack
from scar_pulumi.fdl import Fdl, Problem


def undeployable(fdl: Fdl, stack: str) -> tuple[Problem, ...]:
    """Everything in the file that cannot be deployed on a stack, in its order; empty if all of it can."""
    return () if is_local_stack(stack) else tuple(replace(problem, severity="error") for problem in fdl.elsewhere)
