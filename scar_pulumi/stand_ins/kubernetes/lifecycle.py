"""Objects created, read, updated and deleted: each is applied as a field manager of its own."""

import hashlib
from typing import Any

from scar_pulumi.stand_ins.kubernetes.cluster import Api, ApiError, Configuration, Kind, Kinds, Object
from scar_pulumi.stand_ins.kubernetes.diff import Difference, difference, drifted, drifted_strings, replacing_fields
from scar_pulumi.stand_ins.kubernetes.objects import (
    MANAGER,
    annotation,
    declarable,
    identity,
    is_managed_by,
    manifest_of,
    outputs,
)
from scar_pulumi.stand_ins.kubernetes.readiness import (
    DEFAULT_TIMEOUT,
    FailedError,
    TooLongError,
    until_gone,
    until_ready,
)
from scar_pulumi.stand_ins.plugin.failures import IncompleteError, ProviderError, UnservedError
from scar_pulumi.stand_ins.plugin.values import UNKNOWN, Properties, has_unknown


class Lifecycle:
    """What the engine asks for, on one cluster. Thread-safe."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._api = Api(configuration.connection)
        self.kinds = Kinds(self._api)

    def diff(self, olds: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """What an update would change; another spelling of the same (`1000m` for `1`) is no change."""
        found = difference(old_inputs, news, replacing_fields(news, self.configuration))
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

    def foresee_create(self, urn: str, inputs: Properties) -> Properties:
        """The outputs of a create as far as a preview can tell; what the API server would refuse is told now."""
        if not has_unknown(inputs):
            self._try_out(manifest_of(inputs), manager_of(urn))
        return {**inputs, "status": UNKNOWN}

    def create(self, urn: str, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        """Create the object; take over the one that an interrupted create of the same resource left."""
        manifest, manager = manifest_of(inputs), manager_of(urn)
        path = self._path(manifest)
        live = self._api.get(path)
        if live and live["metadata"].get("deletionTimestamp"):
            until_gone(self._api, path, DEFAULT_TIMEOUT)
        else:
            self._refuse_taken(live, manifest, manager)
        live = self._apply(path, manifest, manager)
        id_ = identity(live, namespaced=self._kind(manifest).namespaced)
        return id_, self._settled(path, live, inputs, manager, timeout)

    def read(self, urn: str, id_: str, state: Properties, inputs: Properties) -> tuple[Properties, Properties] | None:
        """Outputs and inputs of the live object, or None when it does not exist.

        The inputs are those declared, with the live value wherever applying them again would change something.
        """
        token_kind = {name: inputs.get(name) or state.get(name) for name in ("apiVersion", "kind")}
        kind = self.kinds.look(str(token_kind["apiVersion"]), str(token_kind["kind"]))
        namespace, _, name = id_.rpartition("/")
        live = self._api.get(kind.path(name, namespace or self.configuration.namespace)) if kind else None
        if live is None:
            return None
        manager = str(state.get(MANAGER) or manager_of(urn))
        known = inputs if inputs.get("metadata") else declarable(live)
        return outputs(live, known, manager), self._drift(live, known, manager) if inputs.get("metadata") else known

    def update(self, olds: Properties, news: Properties, timeout: float) -> Properties:
        """Change the object in place."""
        manifest, manager = manifest_of(news), str(olds[MANAGER])
        path = self._path(manifest)
        return self._settled(path, self._apply(path, manifest, manager), news, manager, timeout)

    def delete(self, id_: str, state: Properties, timeout: float) -> None:
        """Delete the object and wait until it is gone; one that is gone already is fine."""
        kind = self.kinds.look(str(state["apiVersion"]), str(state["kind"]))
        if kind is None:
            return  # its definition is gone, and all objects with it
        namespace, _, name = id_.rpartition("/")
        path = kind.path(name, namespace)
        chosen = annotation(state, "deletionPropagationPolicy") or "background"
        self._api.delete(path, chosen.capitalize())
        try:
            until_gone(self._api, path, timeout or DEFAULT_TIMEOUT)
        except TooLongError as error:
            raise _named(state, error) from None

    def _apply(self, path: str, manifest: Object, manager: str) -> Object:
        force = annotation(manifest, "patchForce") == "true" or self.configuration.patch_force
        try:
            return self._api.apply(path, manifest, manager, force=force)
        except ApiError as error:
            raise _named(manifest, error) from None

    def _settled(self, path: str, live: Object, inputs: Properties, manager: str, timeout: float) -> Properties:
        try:
            return outputs(until_ready(self._api, path, live, timeout or DEFAULT_TIMEOUT), inputs, manager)
        except (TooLongError, FailedError) as error:
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

    def _try_out(self, manifest: Object, manager: str) -> None:
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
        if live and not self.configuration.upsert and not is_managed_by(live, manager):
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
        return self.kinds.find(manifest["apiVersion"], manifest["kind"])


def manager_of(urn: str) -> str:
    """The field manager of a resource: its own, so that an object that it left can be told from others'."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def _immutable(found: Difference, error: ApiError) -> Difference:
    """What the API server calls immutable is replaced."""
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
