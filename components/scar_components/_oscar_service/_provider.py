"""The provider of services on OSCAR clusters, run by Pulumi's dynamic provider plugin.

Its name is recorded in the state of stacks, `scar_components._oscar_service._provider.RegisteredServiceProvider`: it
stays.
"""

from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult
from pulumi.runtime.rpc import UNKNOWN

from scar_components._dynamic import deletes_buckets
from scar_components._oscar_service._api import OscarApi
from scar_components._oscar_service._changes import blank_secrets, change, sent_form, shared_buckets
from scar_components._oscar_service._creation import Creation
from scar_components._oscar_service._definition import buckets, is_exposed, places, whole
from scar_components._oscar_service._drift import observed
from scar_components._oscar_service._errors import OscarError
from scar_components._oscar_service._http import Cluster
from scar_components._oscar_service._removal import remove
from scar_components._oscar_service._version import owns_buckets

CONNECTION = ("endpoint", "username", "password", "verify_certificate", "timeout")
INPUTS = (*CONNECTION, "definition", "owner", "adopt", "delete_buckets")
_COMPARED = tuple(key for key in INPUTS if key != "adopt")
OUTPUTS = ("token", "told_token", "version", "synchronous", "run_url", "job_url", "exposed_url", "shared")


class RegisteredServiceProvider(ResourceProvider):
    """Creates, updates, reads and deletes services over a cluster's REST interface."""

    # There is nothing in it, secret or not; a secret would hide every diff of the resource.
    serialize_as_secret_always = False

    delete_buckets: bool
    """What services do that do not say whether their buckets are deleted with them."""

    def configure(self, req: ConfigureRequest) -> None:
        """Take over the stack's `scar:deleteBuckets`."""
        self.delete_buckets = deletes_buckets(req)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another cluster, name or input is another service: OSCAR keeps what it has told MinIO about the old input."""
        old, new = whole(_olds["definition"]), whole(_news["definition"])
        moved = _news["endpoint"] not in (_olds["endpoint"], UNKNOWN)
        replaces = ["endpoint"] if moved else []
        if _is_known(new) and (old["name"] != new["name"] or places(old, "input") != places(new, "input")):
            if not replaces:
                self._check_replacement(_olds, old, new)
            replaces.append("definition")
        changes = (
            bool(replaces)
            or _is_refused(_olds)
            or any(whole(_olds.get(key)) != whole(_news.get(key)) for key in _COMPARED)
        )
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the service, or take over what an interrupted creation has made."""
        api, definition = _api(props), whole(props["definition"])
        with api.alone():
            information = api.information()
            creation = Creation(api, definition, props["owner"], str(information.get("version", "")))
            shared = creation.run(adopt=bool(props.get("adopt")))
            return CreateResult(definition["name"], _outputs(api, props, information, shared))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the service as it stands in the cluster; what OSCAR does not tell is taken to be what was asked."""
        api, asked = _api(props), whole(props["definition"])
        found = api.find(asked["name"])
        if found is None:
            return ReadResult("", props)
        outputs = {**props, "token": found.get("token"), "definition": observed(asked, found, props["version"])}
        if outputs["definition"] == asked:
            return ReadResult(id_, {**outputs, "definition": props["definition"]})
        return ReadResult(id_, outputs, {key: outputs[key] for key in INPUTS if key in outputs})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give the service its new definition, unless only the way to it has changed."""
        api, old, new = _api(_news), whole(_olds["definition"]), whole(_news["definition"])
        with api.alone():
            information = api.information()
            version = str(information.get("version", ""))
            shared = list(_olds.get("shared") or ())
            if old != new or _olds["owner"] != _news["owner"] or _is_refused(_olds):
                shared += [bucket for bucket in shared_buckets(api, new) if bucket not in [*buckets(old), *shared]]
                _change(api, old, sent_form(new, version, _news["owner"]), version)
            return UpdateResult(_outputs(api, _news, information, shared))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the service; its buckets stay, unless the stack asks for their deletion and nobody shares them."""
        api, shared = _api(_props), _props.get("shared") or ()
        with api.alone():
            remove(api, whole(_props["definition"]), _props["version"], wipe=self._wipes(_props), shared=shared)

    def _wipes(self, props: Mapping[str, Any]) -> bool:
        chosen = props.get("delete_buckets")
        return self.delete_buckets if chosen is None else bool(chosen)

    def _check_replacement(self, olds: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """A bucket that stays cannot be watched otherwise: better known before the service is deleted than after."""
        if self._wipes(olds) or not owns_buckets(olds["version"]):
            return
        for bucket in set(buckets(new, "input")) & set(buckets(old)):
            if old["name"] != new["name"] or _folders(old, bucket) != _folders(new, bucket):
                raise OscarError(
                    f"service {new['name']}: OSCAR {olds['version']} cannot watch the bucket '{bucket}' otherwise than "
                    "it does, and its files are kept; choose another bucket, or set delete_buckets first"
                )


def _change(api: OscarApi, old: Mapping[str, Any], sent: Mapping[str, Any], version: str) -> None:
    found = api.find(sent["name"])
    if found is None:
        raise OscarError(f"service {sent['name']}: is gone from {api.cluster.endpoint}; refresh the stack")
    blank_secrets(api, sent, old, version)
    change(api, sent, found, version)


def _outputs(
    api: OscarApi, props: Mapping[str, Any], information: Mapping[str, Any], shared: list[str]
) -> dict[str, Any]:
    """What is kept of a service beside what was asked for; OSCAR may give it another token with each update."""
    definition, endpoint = props["definition"], api.cluster.endpoint.rstrip("/")
    name, exposed = definition["name"], is_exposed(definition)
    token = (api.find(name) or {}).get("token")
    backend = (information.get("serverless_backend") or {}).get("name") or ""
    return {
        **{key: props[key] for key in INPUTS if key in props},
        "token": token,
        "told_token": token,
        "version": str(information.get("version", "")),
        "synchronous": backend.lower() == "knative" and not exposed,
        "run_url": f"{endpoint}/run/{name}",
        "job_url": f"{endpoint}/job/{name}",
        "exposed_url": f"{endpoint}/system/services/{name}/exposed/" if exposed else "",
        "shared": shared,
    }


def _is_refused(olds: Mapping[str, Any]) -> bool:
    """Whether the service refuses what MinIO sends: an update by somebody else has given it another token."""
    told = olds.get("told_token")
    return told is not None and told != olds.get("token") and bool(buckets(olds["definition"], "input"))


def _folders(definition: Mapping[str, Any], bucket: str) -> set[str]:
    return {path for _, path in places(definition, "input") if path.partition("/")[0] == bucket}


def _is_known(definition: object) -> bool:
    return isinstance(definition, Mapping)


def _api(props: Mapping[str, Any]) -> OscarApi:
    cluster = Cluster(
        props["endpoint"], props["username"], props["password"], bool(props.get("verify_certificate", True))
    )
    return OscarApi(cluster, float(props.get("timeout") or 60))
