#!/usr/bin/python3
"""Find the edges in a picture with one OpenCL kernel, on the first GPU there is, else on the CPU; say which it was."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
from PIL import Image

VENDORS = {"nvidia.icd": "libnvidia-opencl.so.1", "pocl.icd": "libpocl.so.2"}
"""NVIDIA's runtime brings its library into the container, but does not say so to OpenCL."""

SOBEL = """
__kernel void sobel(__global const uchar *grey, __global uchar *edges, const int width, const int height)
{
    const int x = get_global_id(0), y = get_global_id(1), i = y * width + x;
    if (x < 1 || y < 1 || x > width - 2 || y > height - 2) { edges[i] = 0; return; }
    const int up = i - width, down = i + width;
    const int h = grey[up + 1] + 2 * grey[i + 1] + grey[down + 1] - grey[up - 1] - 2 * grey[i - 1] - grey[down - 1];
    const int v = grey[down - 1] + 2 * grey[down] + grey[down + 1] - grey[up - 1] - 2 * grey[up] - grey[up + 1];
    edges[i] = min(255, (int) sqrt((float) (h * h + v * v)));
}
"""


def main() -> None:
    """Write the edges of this event's picture."""
    picture, results = Path(os.environ["INPUT_FILE_PATH"]), Path(os.environ["TMP_OUTPUT_DIR"])
    grey = np.asarray(Image.open(picture).convert("L"))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        device = best_device()
        edges, seconds = computed(device, grey)
    kind = "GPU" if is_gpu(device) else "CPU, as this job sees no GPU,"
    Image.fromarray(edges).save(results / f"{picture.stem}.png")
    print(f"{picture.name}: {grey.shape[1]}x{grey.shape[0]} in {seconds * 1000:.1f} ms on the {kind} {device.name}")


def prepare(folder: Path) -> None:
    """Tell OpenCL where its drivers are."""
    for name, library in VENDORS.items():
        (folder / name).write_text(f"{library}\n")
    os.environ.update(OCL_ICD_VENDORS=str(folder), POCL_CACHE_DIR=str(folder), PYOPENCL_NO_CACHE="1")
    if not Path("/sys/devices/system/cpu").exists():
        # The driver for CPUs asks hwloc for the machine's memory, which is not told everywhere.
        os.environ["HWLOC_SYNTHETIC"] = f"numa:1(memory=1073741824) core:{os.cpu_count()} pu:1"


def best_device() -> Any:
    """Return the first GPU, else any device."""
    devices = [device for platform in cl.get_platforms() for device in devices_of(platform)]
    return next((device for device in devices if is_gpu(device)), devices[0])


def devices_of(platform: Any) -> list[Any]:
    """Return a platform's devices; asking a driver that has none is an error."""
    try:
        return list(platform.get_devices())
    except cl.Error:
        return []


def is_gpu(device: Any) -> bool:
    """Return whether a device is a GPU."""
    return bool(device.type & cl.device_type.GPU)


def computed(device: Any, grey: Any) -> tuple[Any, float]:
    """Return the edges, and the seconds that the device took."""
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    flags = cl.mem_flags
    source = cl.Buffer(context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=np.ascontiguousarray(grey))
    target = cl.Buffer(context, flags.WRITE_ONLY, grey.nbytes)
    program = cl.Program(context, SOBEL).build()
    height, width = grey.shape
    edges = np.empty_like(grey)
    started = time.monotonic()
    program.sobel(queue, (width, height), None, source, target, np.int32(width), np.int32(height))
    cl.enqueue_copy(queue, edges, target)
    queue.finish()
    return edges, time.monotonic() - started


if __name__ == "__main__":
    main()
