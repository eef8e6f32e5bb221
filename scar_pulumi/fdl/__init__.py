"""FDL, the language that container functions are declared in: files in, checked data out.

`load` is the way in. Nothing of Pulumi or of a cloud is imported here.
"""

from scar_pulumi.fdl.loading import load
from scar_pulumi.fdl.model import Fdl, Function, OscarService, StoragePath
from scar_pulumi.fdl.problems import FdlError, Problem
from scar_pulumi.fdl.references import Reference, split_references

__all__ = [
    "Fdl",
    "FdlError",
    "Function",
    "OscarService",
    "Problem",
    "Reference",
    "StoragePath",
    "load",
    "split_references",
]
