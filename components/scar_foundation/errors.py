"""All errors, as one tree.

    ScarError               says where, what and what to do; exit code 1
    ├── InputError          the user's input is wrong; exit code 2
    │   └── FdlError        mistakes in an FDL file (scar_pulumi.fdl)
    ├── EngineError         the Pulumi engine is missing or has failed
    ├── LocalCloudError     the local cloud cannot start or has failed
    ├── InvocationError     a function was called and failed
    ├── ArchiveError        an image's archive cannot be decompressed (scar_foundation.archives)
    ├── NoAnswer            a server did not answer (scar_foundation.http)
    ├── ImageError          an image cannot be read, made or pushed (scar_components.images)
    └── OscarError          an OSCAR cluster refuses a request (scar_components.oscar_api)

`pulumi` is not imported here: it takes half a second, which checking a file must not. In a Pulumi program,
`scar_pulumi.deploy.deploy` and the components raise `pulumi.RunError` instead, which the engine prints without a
traceback.
"""


class ScarError(Exception):
    """Base of all errors that the user sees as a sentence, "where: what; what to do", and not as a traceback."""

    exit_code = 1


class InputError(ScarError):
    """The user's input is wrong; nothing was changed."""

    exit_code = 2


class EngineError(ScarError):
    """The Pulumi engine cannot be found, built or run, or an operation of it failed."""


class LocalCloudError(ScarError):
    """The local cloud cannot be started or has failed."""


class InvocationError(ScarError):
    """A function was called and failed; the message holds what its container printed."""
