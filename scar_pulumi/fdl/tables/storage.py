"""`storage_providers`, and the `input` and `output` of a function."""

from scar_pulumi.fdl.kinds import Flag, Items, Key, Rule, Section, Table, Text
from scar_pulumi.fdl.tables.names import REGION

_ID = Text(
    what="a provider's name",
    rules=(Rule(r"[^\s.]+", "cannot name a provider", "use letters, digits, '-' and '_'"),),
)
_KEYS = {
    "access_key": Key(doc="Access key id.", kind=Text(what="an access key")),
    "secret_key": Key(doc="Secret access key.", kind=Text(what="a secret key")),
}


def _texts(**docs: str) -> dict[str, Key]:
    return {name: Key(doc=doc, kind=Text(loose=True)) for name, doc in docs.items()}


S3_PROVIDER = Section(
    keys={**_KEYS, "region": Key(doc="Region of the buckets.", kind=REGION)}, together=("access_key", "secret_key")
)
MINIO_PROVIDER = Section(
    keys={
        **_KEYS,
        **_texts(endpoint="URL of the server.", region="Region of the server."),
        "verify": Key(doc="Whether its certificate is verified.", kind=Flag(), default=True),
    },
    together=("access_key", "secret_key"),
)
ONEDATA_PROVIDER = Section(
    keys=_texts(oneprovider_host="Host of the Oneprovider.", token="Access token.", space="Name of the space.")  # noqa: S106 - a sentence about it
)
WEBDAV_PROVIDER = Section(
    keys=_texts(hostname="Host, without https://.", login="User.", password="Password.")  # noqa: S106 - likewise
)
RUCIO_PROVIDER = Section(
    keys=_texts(
        host="Host of Rucio.",
        auth_host="Host that authenticates.",
        account="Account.",
        rse="Storage element.",
        access_token="OIDC access token.",  # noqa: S106 - likewise
        refresh_token="OIDC refresh token.",  # noqa: S106 - likewise
        oidc_audience="OIDC audience.",
        token_endpoint="URL of the token issuer.",  # noqa: S106 - likewise
    )
)

STORAGE_PROVIDERS = Key(
    doc="Storage outside of the function's own account: type, then a name, then settings.",
    kind=Section(
        keys={
            "s3": Key(doc="Buckets of other AWS accounts.", kind=Table(names=_ID, of=S3_PROVIDER)),
            "minio": Key(doc="MinIO servers.", kind=Table(names=_ID, of=MINIO_PROVIDER)),
            "onedata": Key(doc="Onedata spaces.", kind=Table(names=_ID, of=ONEDATA_PROVIDER)),
            "webdav": Key(doc="WebDAV servers, such as dCache.", kind=Table(names=_ID, of=WEBDAV_PROVIDER)),
            "rucio": Key(doc="Rucio accounts.", kind=Table(names=_ID, of=RUCIO_PROVIDER)),
        },
    ),
    secret=True,
)

_NAMES = Items(of=Text(what="a part of a file name", longest=1024))


_PER_REQUEST = Key(
    doc="Of outputs: whether each event gets a folder of its own, named by its request id.", kind=Flag(), default=False
)


def storage_list(doc: str, *, on_cluster: bool = False) -> Key:
    """The key `input` or `output` of a function, or of a service on an OSCAR cluster."""
    keys = {
        "storage_provider": Key(
            doc="Type and name of the storage: 's3' is the function's own account, 'minio' its cluster.",
            kind=Text(what="a storage provider"),
            default="minio" if on_cluster else "s3",
        ),
        "path": Key(doc="bucket, or bucket/folder.", kind=Text(what="a storage path", longest=1024), required=True),
        "prefix": Key(doc="Only files whose name starts with one of these.", kind=_NAMES, default=()),
        "suffix": Key(doc="Only files whose name ends with one of these.", kind=_NAMES, default=()),
    }
    if not on_cluster:
        keys["per_request"] = _PER_REQUEST
    return Key(doc=doc, kind=Items(of=Section(keys=keys)), default=())
