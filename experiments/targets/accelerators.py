"""Accelerators by their published figures, and how XLA is asked to compile for one that is not there."""

import functools
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from jax.sharding import Mesh

from experiments.common.compiled import Counts
from jaxnet import devices

GOOGLE = "docs.cloud.google.com/tpu/docs/"
NVIDIA = "NVIDIA's data sheet"
LATENCY = {"tpu": 1.0, "gpu": 10.0}
"""Microseconds until a message between neighbours arrives: an assumption, for nobody publishes it."""


@dataclass(frozen=True)
class Accelerator:
    """One kind of chip, and how many of them.

    - `operations`: float32 operations a second in products, at most. A TPU makes one product of float32 of six.
    - `memory`, `bandwidth`: bytes, and bytes a second, of its main memory.
    - `link`: bytes a second to and from the others.
    - `start`: seconds that a kernel takes at least; on a TPU nothing is started from outside.
    - `source`: of these figures.
    """

    platform: str
    topology: str
    chips: int
    operations: float
    memory: float
    bandwidth: float
    link: float
    source: str
    start: float = 0.0
    text: str = field(default="", repr=False)

    def mesh(self) -> Mesh:
        """Of devices that are not there, and can only be compiled for. Raises where the package for them is missing."""
        from jax.experimental.topologies import get_topology_desc

        if self.platform == "tpu":
            found = get_topology_desc(self.topology, "tpu")
        else:
            found = get_topology_desc("", platform="cuda", target_config=self.text, topology=self.topology)
        return devices.mesh(found.devices[: self.chips])

    def bounds(self, counts: Counts, operations: float) -> dict[str, float]:
        """Seconds that each of four things takes at least, of what one device does; together at least the longest."""
        messages = 1e-6 * LATENCY[self.platform] * counts.messages * math.log2(max(2, self.chips))
        return {
            "starting kernels": self.start * counts.kernels,
            "memory": counts.moved / self.bandwidth,
            "arithmetic": operations / self.operations,
            "messages": messages + 2 * counts.sent * (1 - 1 / self.chips) / self.link,
        }

    def facts(self) -> dict[str, Any]:
        """For the record."""
        return {name: value for name, value in asdict(self).items() if name != "text"}


def _gpu_text(name: str, cores: int, capability: tuple[int, int], memory: float, bandwidth: float) -> str:
    """XLA's GpuTargetConfigProto; cache, registers and clock are those of the chip's generation."""
    major, minor = capability
    shared = 233472 if major == 9 else 102400
    return f"""
        gpu_device_info {{
            threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: {2048 if major == 9 else 1536}
            shared_memory_per_block: 49152 shared_memory_per_core: {shared}
            shared_memory_per_block_optin: {shared - 1024}
            registers_per_core_limit: 65536 registers_per_block_limit: 65536
            block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
            core_count: {cores} fpus_per_core: 128 clock_rate_ghz: {1.98 if major == 9 else 2.46}
            memory_bandwidth: {bandwidth:.0f} device_memory_size: {memory:.0f}
            l2_cache_size: {52428800 if major == 9 else 25165824}
            cuda_compute_capability {{ major: {major} minor: {minor} }}
        }}
        platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 8 }} device_description_str: "{name}"
    """


def _tpu(
    name: str, topologies: dict[int, str], operations: float, memory: float, bandwidth: float, link: float
) -> dict:
    source = GOOGLE + name
    return {
        f"{name}:{chips}": Accelerator(
            "tpu", f"{name}:{shape}", chips, 1e12 * operations / 6, 2**30 * memory, 1e9 * bandwidth, 1e9 * link, source
        )
        for chips, shape in topologies.items()
    }


def _gpu(
    name: str, cores: int, capability: tuple[int, int], operations: float, memory: float, bandwidth: float, link: float
) -> dict:
    text = _gpu_text(f"NVIDIA {name}", cores, capability, 1e9 * memory, 1e9 * bandwidth)
    make = functools.partial(
        Accelerator,
        "gpu",
        operations=1e12 * operations,
        memory=1e9 * memory,
        bandwidth=1e9 * bandwidth,
        link=1e9 * link,
        source=NVIDIA,
        start=3e-6,  # 2 to 4 microseconds are usual
        text=text,
    )
    key = name.lower().replace(" ", "")
    return {f"{key}:{chips}": make(topology=f"1x{chips}x1", chips=chips) for chips in (1, 8)}


ACCELERATORS: dict[str, Accelerator] = {
    **_tpu("v5e", {1: "1x1", 8: "2x4", 256: "16x16"}, 197, 16, 819, 200),
    **_tpu("v5p", {1: "2x2x1", 8: "2x2x2", 256: "8x8x4"}, 459, 95, 2765, 600),
    **_tpu("v6e", {1: "1x1", 8: "2x4", 256: "16x16"}, 918, 32, 1640, 400),
    **_gpu("H100", 132, (9, 0), 67, 80, 3350, 450),
    **_gpu("H200", 132, (9, 0), 67, 141, 4800, 450),
    **_gpu("RTX 4060", 24, (8, 9), 15, 8, 272, 16),
}
"""By name and number. Operations are tera, memory in GiB or GB, bandwidth and links in GB/s, one way."""
