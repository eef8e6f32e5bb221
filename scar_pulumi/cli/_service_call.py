"""`invoke` of a service on an OSCAR cluster."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.cli._answer import log_hint, show_answer
from scar_pulumi.cli._clusters import open_cluster
from scar_pulumi.cli._target import CalledService
from scar_pulumi.cli.console import Console
from scar_pulumi.client.call import Call
from scar_pulumi.client.oscar import ServiceFailed, begin_job, call_service, service_event


def invoke_service(found: CalledService, call: Call, arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Call a service, or make a job of the call where the cluster cannot answer; returns what `--json` prints."""
    service = found.service
    as_job = call.later or not service.synchronous
    if as_job and arguments.output:
        raise InputError(
            f"--output: cluster {service.cluster} answers no calls, it makes jobs of them; "
            "their results are where the outputs of the service go"
        )
    service_event(call)  # what is wrong with it is told before anything else happens
    client = open_cluster(found.stack, service.cluster, console)
    service = client.cluster.services[service.name]
    token = service.token or client.token(service.name)
    with console.progress(f"{service.name} is {'called' if as_job else 'running'}"):
        if as_job:
            invocation = begin_job(client, service, call, token)
        else:
            invocation = call_service(client, service, call, token, is_file=arguments.output is not None)
    if invocation.failed:
        raise ServiceFailed(service, invocation)
    if as_job:
        console.say(invocation.request_id or "accepted")
    else:
        show_answer(invocation, arguments.output, console)
    if invocation.request_id:
        console.note(log_hint(invocation, arguments.stack))
    return invocation.document()
