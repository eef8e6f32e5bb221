"""The rule on the settings of storage providers: those that functions use are complete."""

from scar_pulumi.fdl._document import Document, FunctionValues, Link
from scar_pulumi.fdl._words import join

# What the supervisor asks for: supervisor_image/supervisor/storage/.
_NEEDED = {
    "s3": ("access_key", "secret_key"),
    "minio": ("endpoint", "access_key", "secret_key"),
    "onedata": ("oneprovider_host", "token", "space"),
    "webdav": ("hostname", "login", "password"),
    "rucio": ("host", "account", "access_token"),
}


def providers_are_complete(document: Document) -> None:
    """A function can sign in to every storage that it reads or writes, and can write where it writes."""
    reported: set[str] = set()
    for link in (*document.inputs, *document.outputs):
        if isinstance(link.owner, FunctionValues):
            _check(document, link, reported)
    for link in document.outputs:
        if isinstance(link.owner, FunctionValues) and link.place.provider == "rucio":
            hint = "use the WebDAV address of its storage"
            document.error(f"{link.path}.storage_provider", "functions can read from Rucio and not write to it", hint)


def _check(document: Document, link: Link, reported: set[str]) -> None:
    kind, name = link.place.provider, link.place.provider_id
    settings = document.values.get("storage_providers", {}).get(kind, {}).get(name)
    path = join(f"storage_providers.{kind}", name)
    if settings is None or path in reported:
        return
    reported.add(path)
    missing = [key for key in _NEEDED[kind] if not document.given(join(path, key)) or settings.get(key) == ""]
    if missing:
        what = ", ".join(f"'{key}'" for key in missing)
        are = "is" if len(missing) == 1 else "are"
        message = f"{what} {are} missing, and '{link.owner.name}' uses this storage"
        document.error(path, message, "functions need it to sign in")
