#!/bin/sh
# Makes imagemagick.tar, the image of this example, from Debian packages.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-../../../.venv/bin/python}" ../debian_image.py imagemagick.tar imagemagick
