"""A function, or a service, run on every object of a bucket: one event each, as the storage would send it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.call import Call, json_body
from scar_pulumi.client.cloud_errors import about, translated
from scar_pulumi.client.failures import event_for
from scar_pulumi.client.invocation import call_lambda
from scar_pulumi.client.objects import Location, objects
from scar_pulumi.client.outputs import DeployedService
from scar_pulumi.deployments.find import Deployments

_AT_ONCE = 8


class Sent(NamedTuple):
    """An object whose event was queued as a request or a job, or why it was not."""

    object: str
    request_id: str
    error: str = ""


def run_over(deployments: Deployments, name: str, place: str) -> Iterator[Sent]:
    """Queue an event for each object at a place (`BUCKET` or `BUCKET/FOLDER`); yield each when it was sent.

    Raises:
        InputError: There are no objects, or the function is unknown.
    """
    location = Location.parse(place)
    with about(f"bucket {location.container}"):
        found = [one.key for one in objects(deployments.storage(location), location) if not one.key.endswith("/")]
    if not found:
        raise InputError(f"{place}: there are no files in it")
    send = _sender(deployments, name)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="events") as pool:
        futures = [pool.submit(_sent, send, f"{location.bucket}/{key}") for key in found]
        for future in as_completed(futures):
            yield future.result()


def _sent(send: Callable[[str], str], name: str) -> Sent:
    try:
        return Sent(name, send(name))
    except Exception as error:
        sentence = error if isinstance(error, ScarError) else translated(error)
        if sentence is None:
            raise
        return Sent(name, "", str(sentence))


def _sender(deployments: Deployments, name: str) -> Callable[[str], str]:
    """Return what queues the event of an object, given as `BUCKET/KEY`."""
    called, clients = deployments.called(name), deployments.clients
    cluster: Any = deployments.cluster(called) if isinstance(called, DeployedService) else None

    def send(place: str) -> str:
        call = Call(json_body(json.dumps(event_for(called, place))), later=True)
        if isinstance(called, DeployedService):
            from scar_pulumi.client.oscar import failure_of, invoke_service  # noqa: PLC0415 - functions need no cluster

            invocation = invoke_service(cluster, cluster.cluster.services[called.name], call)
            if invocation.failed:
                raise failure_of(invocation)
            return invocation.request_id
        return call_lambda(called, call, clients).request_id

    return send
