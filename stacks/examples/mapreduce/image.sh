#!/bin/sh
# Makes python.tar, the image of this example, from Debian packages.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-../../../.venv/bin/python}" ../debian_image.py python.tar python3 mawk
