#!/bin/sh
# Makes opencl.tar, the image of this example, from Debian packages: OpenCL for Python, and its driver for CPUs.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-../../../.venv/bin/python}" ../debian_image.py opencl.tar pocl-opencl-icd python3-pil python3-pyopencl
