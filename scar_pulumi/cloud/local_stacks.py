"""Which stacks are on the local cloud. It stands alone, as every verb asks and few start the local cloud."""


def is_local_stack(name: str) -> bool:
    """Return whether a stack of this name is on the local cloud: `local`, or any that starts with `local-`.

    The last part of a fully qualified name (`organization/project/local`) decides.
    """
    stack = name.rsplit("/", maxsplit=1)[-1]
    return stack == "local" or stack.startswith("local-")
