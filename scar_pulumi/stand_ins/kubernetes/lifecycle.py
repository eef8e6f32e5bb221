"""Objects created, read, updated and deleted: each is applied as a field manager of its own."""

import hashlib
from typing import Any

from scar_foundation.plugin.failures import IncompleteError, ProviderError, UnservedError
from scar_foundation.plugin.provider import (
    CancelledError,
    Checked,
    Difference,
    Found,
    Lifecycle,
    Naming,
    Package,
    Resource,
)
from scar_foundation.plugin.values import UNKNOWN, Properties, has_unknown
from scar_pulumi.stand_ins.kubernetes.cluster import (
    Api,
    ApiError,
    Configuration,
    Kind,
    Kinds,
    Object,
    read_configuration,
)
from scar_pulumi.stand_ins.kubernetes.diff import difference, drifted, drifted_strings
from scar_pulumi.stand_ins.kubernetes.objects import (
    MANAGER,
    annotation,
    check,
    declarable,
    foresee,
    hide,
    identity,
    is_managed_by,
    kind_of,
    manifest_of,
    outputs,
    settle_namespace,
)
from scar_pulumi.stand_ins.kubernetes.readiness import (
    DEFAULT_TIMEOUT,
    FailedError,
    TooLongError,
    until_gone,
    until_ready,
)


class KubernetesLifecycle(Lifecycle):
    """The objects of one cluster."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._api = Api(configuration.connection)
        self._kinds = Kinds(self._api)

    def invoke(self, token: str, arguments: Properties) -> Properties:  # noqa: ARG002 - inherited
        """Refuse the functions of the genuine plugin (Helm, Kustomize)."""
        raise UnservedError(
            f"{token}: is not served by the stand-in kubernetes provider; "
            "install the genuine plugin: pulumi plugin install resource kubernetes"
        )

    def check(self, resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
        """Complete the inputs: kind, name, namespace."""
        checked = check(resource, olds, news, naming)
        if not checked.failures:
            settle_namespace(self._kinds, checked.inputs, self._configuration.namespace)
        return checked

    def diff(
        self,
        resource: Resource,  # noqa: ARG002 - inherited
        olds: Properties,
        old_inputs: Properties,
        news: Properties,
    ) -> Difference:
        """Compare inputs; another spelling of the same (`1000m` for `1`) is no change."""
        found = difference(old_inputs, news, self._configuration)
        if not found.paths or found.replaced or has_unknown(news):
            return found
        manifest = manifest_of(news)
        try:
            path = self._path(manifest)
            live = self._api.get(path)
            applied = self._api.apply(path, manifest, olds.get(MANAGER, ""), force=True, dry_run=True)
        except ApiError as error:
            return _immutable(found, error)
        except ProviderError:
            return found
        if live and declarable(live) == declarable(applied):
            found.paths = {}
        return found

    def foresee_create(self, resource: Resource, inputs: Properties) -> Properties:
        """Return the outputs of a create as far as a preview can tell; fail where the API server would refuse it."""
        if not has_unknown(inputs):
            self._dry_run(manifest_of(inputs), manager_of(resource.urn))
        return {**inputs, "status": UNKNOWN}

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        """Create the object; take over the one that an interrupted create of the same resource left."""
        manifest, manager = manifest_of(inputs), manager_of(resource.urn)
        path = self._path(manifest)
        live = self._api.get(path)
        if live and live["metadata"].get("deletionTimestamp"):
            until_gone(self._api, path, DEFAULT_TIMEOUT)
        else:
            self._refuse_taken(live, manifest, manager)
        live = self._apply(path, manifest, manager)
        id_ = identity(live, namespaced=self._kind(manifest).namespaced)
        return id_, self._await_ready(path, live, inputs, manager, timeout)

    def read(self, resource: Resource, state: Properties, inputs: Properties) -> Found | None:
        """Return the live object, or None when it does not exist.

        The inputs are those declared, with the live value wherever applying them again would change something.
        """
        declared = dict(zip(("apiVersion", "kind"), kind_of(resource.type), strict=True)) | state | inputs
        kind = self._kinds.look(str(declared["apiVersion"]), str(declared["kind"]))
        namespace, _, name = resource.id.rpartition("/")
        live = self._api.get(kind.path(name, namespace or self._configuration.namespace)) if kind else None
        if live is None:
            return None
        manager = str(state.get(MANAGER) or manager_of(resource.urn))
        if not inputs.get("metadata"):
            inputs = declarable(live)
            return Found(resource.id, outputs(live, inputs, manager), inputs)
        return Found(resource.id, outputs(live, inputs, manager), self._drift(live, inputs, manager))

    def foresee_update(
        self,
        resource: Resource,  # noqa: ARG002 - inherited
        olds: Properties,
        old_inputs: Properties,
        news: Properties,
    ) -> Properties:
        """Return the outputs of an update as far as a preview can tell."""
        return foresee(olds, old_inputs, news)

    def update(
        self,
        resource: Resource,  # noqa: ARG002 - inherited
        olds: Properties,
        old_inputs: Properties,  # noqa: ARG002 - inherited
        news: Properties,
        timeout: float,
    ) -> Properties:
        """Change the object in place."""
        manifest, manager = manifest_of(news), str(olds[MANAGER])
        path = self._path(manifest)
        return self._await_ready(path, self._apply(path, manifest, manager), news, manager, timeout)

    def delete(self, resource: Resource, state: Properties, timeout: float) -> None:
        """Delete the object and wait until it is gone; one that is gone already is fine."""
        kind = self._kinds.look(str(state["apiVersion"]), str(state["kind"]))
        if kind is None:
            return  # its definition is gone, and all objects with it
        namespace, _, name = resource.id.rpartition("/")
        path = kind.path(name, namespace)
        chosen = annotation(state, "deletionPropagationPolicy") or "foreground"
        self._api.delete(path, chosen.capitalize())
        try:
            until_gone(self._api, path, timeout or DEFAULT_TIMEOUT)
        except (TooLongError, CancelledError) as error:
            raise _named(state, error) from None

    def conceal(self, outputs: Properties, marked: Properties) -> Properties:
        """Conceal what is secret in `marked`, wherever the API server has put it."""
        return hide(outputs, marked)

    def _apply(self, path: str, manifest: Object, manager: str) -> Object:
        force = annotation(manifest, "patchForce") == "true" or self._configuration.patch_force
        try:
            return self._api.apply(path, manifest, manager, force=force)
        except ApiError as error:
            raise _named(manifest, error) from None

    def _await_ready(self, path: str, live: Object, inputs: Properties, manager: str, timeout: float) -> Properties:
        try:
            return outputs(until_ready(self._api, path, live, timeout or DEFAULT_TIMEOUT), inputs, manager)
        except (TooLongError, FailedError, CancelledError) as error:
            id_ = identity(live, namespaced=bool(live["metadata"].get("namespace")))
            message = str(_named(live, error))
            raise IncompleteError(message, id_, outputs(live, inputs, manager)) from None

    def _drift(self, live: Object, inputs: Properties, manager: str) -> Properties:
        manifest = manifest_of(inputs)
        try:
            wanted = self._api.apply(self._path(manifest), manifest, manager, force=True, dry_run=True)
        except ProviderError:
            wanted = {**live, **manifest}
        found: dict[str, Any] = drifted(inputs, declarable(wanted), declarable(live))
        if inputs.get("stringData"):
            same = wanted.get("data") == live.get("data")
            found["stringData"] = inputs["stringData"] if same else drifted_strings(inputs["stringData"], live)
        return found

    def _dry_run(self, manifest: Object, manager: str) -> None:
        try:
            path = self._path(manifest)
            live = self._api.get(path)
            self._refuse_taken(live, manifest, manager)
            if live is None:  # else it is about to be replaced
                self._api.apply(path, manifest, manager, force=True, dry_run=True)
        except UnservedError:
            return  # what brings the kind may be part of the same update
        except ApiError as error:
            if error.code != 404:  # its namespace is made in the same update
                raise _named(manifest, error) from None

    def _refuse_taken(self, live: Object | None, manifest: Object, manager: str) -> None:
        """Raise ProviderError for an object that somebody else has made."""
        if live and not self._configuration.upsert and not is_managed_by(live, manager):
            metadata = manifest["metadata"]
            id_ = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
            raise _named(
                manifest,
                "it exists already; import it (pulumi import), choose another name, or let the provider take over what "
                f"exists: upsertExistingObjects (its id is {id_!r})",
            )

    def _path(self, manifest: Object) -> str:
        metadata = manifest["metadata"]
        return self._kind(manifest).path(metadata["name"], metadata.get("namespace"))

    def _kind(self, manifest: Object) -> Kind:
        return self._kinds.find(manifest["apiVersion"], manifest["kind"])


def _schema(version: str) -> dict[str, Any]:
    # Kinds are the cluster's, so none is listed.
    return {"name": "kubernetes", "version": version}


PACKAGE = Package("kubernetes", read_configuration, KubernetesLifecycle, _schema)


def manager_of(urn: str) -> str:
    """Return the field manager of a resource: one of its own, so that an object it left is told from others'."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def _immutable(found: Difference, error: ApiError) -> Difference:
    """Replace what the API server calls immutable."""
    if error.code == 422 and "immutable" in str(error):
        found.replacing = (*found.replacing, *(field.partition("[")[0] for field in error.fields))
    return found


def _named(manifest: Object, error: Exception | str) -> ProviderError:
    metadata = manifest["metadata"]
    name = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    hint = ""
    if isinstance(error, ApiError) and error.code == 409 and "conflict" in str(error):
        hint = '; to take these fields over, annotate the object with pulumi.com/patchForce: "true"'
    return ProviderError(f"{manifest['kind']} {name}: {error}{hint}")
