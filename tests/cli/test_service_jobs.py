"""`jobs` and `failures` of services on a cluster."""

from tests.components.oscar_service.server import Server
from tests.world.oscar_services import LATER, ran, services_cluster, uploaded

from .conftest import Scar

__all__ = ["services_cluster"]


def test_jobs_of_services_are_listed_and_shown(scar: Scar, services_cluster: Server) -> None:
    ran(services_cluster, "sign-1", "Succeeded", "in/good")
    ran(services_cluster, "sign-2", "Failed", "in/bad", LATER, said="cannot read it")
    services_cluster.cluster.jobs["quiet"] = {"quiet-1": {"status": "Pending", "creation_time": LATER}}
    for given in ((), ("sign",), ("mine/sign",)):
        document = scar("jobs", "ls", *given, "--json").json
        listed = {job["id"]: (job["status"], job["inputs"]) for job in document["jobs"] if job["function"] == "sign"}
        assert listed == {"sign-2": ("FAILED", ["raw/in/bad"]), "sign-1": ("SUCCEEDED", ["raw/in/good"])}
        assert document["count"] == (3 if not given else 2)
        assert {job["cluster"] for job in document["jobs"]} == {"mine"}
    assert " mine/sign " in scar("jobs", "ls", "sign").stdout
    (failed,) = scar("jobs", "ls", "sign", "--status", "failed", "--json").json["jobs"]
    assert (failed["id"], failed["reason"]) == ("sign-2", "cannot read it")
    shown = scar("jobs", "show", "quiet")
    assert "status:      PENDING" in shown.stdout
    assert "the Secret of the MinIO user" in shown.stdout
    assert "`scar-pulumi logs quiet --request-id quiet-1` shows its whole log" in shown.stderr
    assert scar("jobs", "show", "sign-1", "--json").json["job"]["inputs"] == ["raw/in/good"]
    assert "cannot read it\n" in scar("jobs", "logs", "sign").stdout
    assert "has printed nothing yet; its status is PENDING" in scar("jobs", "logs", "quiet-1").stderr
    refused = scar("jobs", "cancel", "sign-1")
    assert refused.status == 2
    assert "sign-1: is a job of an OSCAR service, which OSCAR can only delete with its log" in refused.stderr
    assert scar("jobs", "show", "sign-9").status == 2


def test_files_that_a_service_never_got_are_failures_that_run_again(scar: Scar, services_cluster: Server) -> None:
    uploaded(services_cluster, "in/good", "in/lost")
    ran(services_cluster, "sign-1", "Succeeded", "in/good")
    shown = scar("failures", "sign", "--since", "2026-06-01")
    assert "raw/in/lost" in shown.stdout
    assert "no job took it" in shown.stdout
    (again,) = scar("failures", "--since", "2026-06-01", "--again", "--json").json["failures"]
    assert again["again"] in services_cluster.cluster.jobs["sign"]
    refused = scar("failures", "--since", "2026-06-01", "--again")
    assert "raw/in/lost: not run again: jobs that have not started may be theirs" in refused.stderr
