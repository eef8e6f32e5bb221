"""Which authorities are trusted: those of the image where it has some, else those carried along."""

import os
from pathlib import Path

CARRIED = "/opt/scar/lib/cacert.pem"
# Where images keep theirs; an image that has some may have authorities of its own among them.
_OF_IMAGES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def file() -> str:
    """The file of authorities."""
    places = (os.environ.get("SSL_CERT_FILE"), *_OF_IMAGES)
    return next((path for path in places if path and Path(path).is_file()), CARRIED)


def provide() -> None:
    """Let obstore, which looks for itself, find some: it wants to even for plain http."""
    places = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), *_OF_IMAGES)
    if not any(path and Path(path).exists() for path in places):
        os.environ["SSL_CERT_FILE"] = CARRIED
