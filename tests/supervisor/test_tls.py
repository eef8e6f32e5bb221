"""Storages behind TLS: which certificates both HTTP clients trust, and which they do not."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.conftest import Bundle
from tests.supervisor.container import Container, Deployment
from tests.supervisor.objects import body, bucket
from tests.supervisor.unreliable import unreliable
from tests.world.file_servers import Files, WebDavServer, serving
from tests.world.runtime_api import Outcome

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")

OF_THE_IMAGE, CARRIED = "etc/ssl/certs/ca-certificates.crt", "opt/scar/lib/cacert.pem"
MAKE = {"script": "ZWNobyBvayA+IiRUTVBfT1VUUFVUX0RJUi9maWxlIg=="}  # echo ok >"$TMP_OUTPUT_DIR/file"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the certificate of an authority, and beside it those of a server that it signed."""
    folder = tmp_path_factory.mktemp("authority")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    own = ["-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem"]
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
    signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-keyout", "server.key", "-out", "server.pem"]
    for options in (own, ["-subj", "/CN=server", *extensions, *signed]):
        subprocess.run(["openssl", "req", "-x509", *new, *options], cwd=folder, check=True, capture_output=True)
    return folder / "authority.pem"


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    """Return the TLS context of that server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("server.pem"), authority.with_name("server.key"))
    return context


Stored = Callable[[], bytes]


@contextmanager
def webdav(tls: ssl.SSLContext, _s3: Any, _endpoint: str) -> Iterator[tuple[str, dict[str, Any], Stored]]:
    with serving(WebDavServer, Files(folders={"home"}), tls) as held:
        settings = {"hostname": held.address, "login": "scar", "password": "pass:word"}
        yield "webdav.mine", settings, lambda: held.files["home/file"]


@contextmanager
def minio(tls: ssl.SSLContext, s3: Any, endpoint: str) -> Iterator[tuple[str, dict[str, Any], Stored]]:
    name = bucket(s3, "home")
    with unreliable(endpoint, tls) as (address, _):
        settings = {"endpoint": address, "access_key": "test", "secret_key": "test"}
        yield "minio.mine", settings, lambda: body(s3, name, "file")


@pytest.fixture(params=[webdav, minio])
def storage(
    request: pytest.FixtureRequest, tls: ssl.SSLContext, s3: Any, s3_endpoint: str
) -> Iterator[tuple[str, dict[str, Any], Stored]]:
    """Return a provider, its settings, and a function that reads what it holds."""
    with request.param(tls, s3, s3_endpoint) as found:
        yield found


@pytest.fixture
def outcome(
    shared_folder: Path, bundle: Bundle, root_filesystem: Callable[[str], Path], tmp_path: Path
) -> Iterator[Callable[..., Outcome]]:
    """Store a file from a container whose image has some of the test's files."""
    containers = []

    def run(provider: str, settings: dict[str, Any], files: dict[str, Path]) -> Outcome:
        folder = Path(shared_folder / tmp_path.name)
        layer = folder / "layer"
        for name, source in files.items():
            (layer / name).parent.mkdir(parents=True)
            shutil.copy(source, layer / name)
        layer.mkdir(parents=True, exist_ok=True)
        (folder / "function").mkdir()
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        configuration = {
            "outputs": [{"storage_provider": provider, "path": "home"}],
            "storage_providers": {provider: settings},
        }
        layers = (root_filesystem("busybox"), bundle.folder, layer)
        deployment = Deployment(layers, bundle.facts["entrypoint"], configuration=json.dumps(configuration))
        containers.append(Container(deployment, folder / "function"))
        return containers[-1].invoke(MAKE, seconds=120)

    yield run
    for container in containers:
        container.close()


def test_a_certificate_of_an_unknown_authority_is_not_trusted(storage: Any, outcome: Callable[..., Outcome]) -> None:
    provider, settings, _ = storage
    refused = outcome(provider, settings, {})
    assert refused.failed
    assert "certificate" in refused.message


@pytest.mark.parametrize("place", [OF_THE_IMAGE, CARRIED])
def test_the_images_authorities_are_trusted_or_else_the_layers_own(
    storage: Any, outcome: Callable[..., Outcome], authority: Path, place: str
) -> None:
    provider, settings, stored = storage
    accepted = outcome(provider, settings, {place: authority})
    assert not accepted.failed, accepted.message
    assert stored() == b"ok\n"


def test_verify_false_accepts_any_certificate(storage: Any, outcome: Callable[..., Outcome]) -> None:
    provider, settings, stored = storage
    accepted = outcome(provider, {**settings, "verify": False}, {})
    assert not accepted.failed, accepted.message
    assert stored() == b"ok\n"
