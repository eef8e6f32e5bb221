"""`storage_providers`, and the `input` and `output` of a function or a service."""

from scar_pulumi.fdl.kinds import Flag, Items, Key, Rule, Section, Table, Text
from scar_pulumi.fdl.model import StoragePath
from scar_pulumi.fdl.tables.names import REGION

_ID = Text(
    what="a provider name",
    rules=(Rule(r"[^\s.]+", "is not a name for a provider", "use letters, digits, '-' and '_'"),),
)
_KEYS = {
    "access_key": Key("Access key id.", Text(what="an access key")),
    "secret_key": Key("Secret access key.", Text(what="a secret key")),
}


def _texts(**docs: str) -> dict[str, Key]:
    return {name: Key(doc, Text(loose=True)) for name, doc in docs.items()}


_S3 = Section(keys={**_KEYS, "region": Key("Region of the buckets.", REGION)}, together=("access_key", "secret_key"))
_MINIO = Section(
    keys={
        **_KEYS,
        **_texts(endpoint="URL of the server.", region="Region of the server."),
        "verify": Key("Whether the server's certificate is verified.", Flag(), default=True),
    },
    together=("access_key", "secret_key"),
)
_ONEDATA = Section(
    keys=_texts(oneprovider_host="Host of the Oneprovider.", token="Access token.", space="Name of the space.")  # noqa: S106 - a sentence about it
)
_WEBDAV = Section(
    keys=_texts(hostname="Host, without https://.", login="User.", password="Password.")  # noqa: S106 - likewise
)
_RUCIO = Section(
    keys=_texts(
        host="URL of the Rucio server.",
        auth_host="URL of the authentication server.",
        account="Account.",
        rse="Rucio storage element.",
        access_token="OIDC access token.",  # noqa: S106 - likewise
        refresh_token="OIDC refresh token.",  # noqa: S106 - likewise
        oidc_audience="OIDC audience.",
        token_endpoint="URL of the token issuer.",  # noqa: S106 - likewise
    )
)

STORAGE_TYPES = {
    "s3": Key("Buckets of other AWS accounts, by a name of your own.", Table(names=_ID, of=_S3)),
    "minio": Key("MinIO servers, by a name of your own.", Table(names=_ID, of=_MINIO)),
    "onedata": Key("Onedata spaces, by a name of your own.", Table(names=_ID, of=_ONEDATA)),
    "webdav": Key("WebDAV servers such as dCache, by a name of your own.", Table(names=_ID, of=_WEBDAV)),
    "rucio": Key("Rucio accounts, by a name of your own.", Table(names=_ID, of=_RUCIO)),
}
STORAGE_PROVIDERS = Key(
    "Storage outside of the function's own account: type, then name, then settings.",
    Section(keys=STORAGE_TYPES),
    secret=True,
)

_NAMES = Items(Text(what="a part of a file name", longest=1024))
_PER_REQUEST = Key(
    "Whether the outputs of each event go into a folder of their own, named by its request id.", Flag(), default=False
)


def storage_list(doc: str, *, on_cluster: bool = False, least: int = 0, per_request: bool = True) -> Key:
    """Return the key `input` or `output` of a function, or of a service on an OSCAR cluster.

    `least` is the fewest places; `per_request` says whether outputs can have folders of their own.
    """
    own = "'minio' is the cluster's own server" if on_cluster else "'s3' is the function's own account"
    keys = {
        "storage_provider": Key(
            f"Type and name of the storage, such as minio.mine; {own}.",
            Text(what="a storage provider"),
            default="minio" if on_cluster else "s3",
        ),
        "path": Key("A bucket, or bucket/folder.", Text(what="a storage path", longest=1024), required=True),
        "prefix": Key("Starts of file names, of which one must match.", _NAMES, default=(), default_doc="all files"),
        "suffix": Key("Ends of file names, of which one must match.", _NAMES, default=(), default_doc="all files"),
    }
    if per_request and not on_cluster:
        keys["per_request"] = _PER_REQUEST
    places = Items(Section(makes=StoragePath, keys=keys), least=least)
    return Key(doc, places, required=True) if least else Key(doc, places, default=())
