"""Where functions read and write, as FDL says it and as the components take it."""

from scar_components.function_arguments import FunctionStorage
from scar_pulumi.fdl import StoragePath


def function_storage(path: StoragePath) -> FunctionStorage:
    """Return a storage path of FDL as components take it."""
    storage: FunctionStorage = {
        "provider": f"{path.provider}.{path.provider_id}",
        "path": str(path),
        "prefix": path.prefix,
        "suffix": path.suffix,
    }
    if path.per_request:
        storage["per_request"] = True
    return storage
