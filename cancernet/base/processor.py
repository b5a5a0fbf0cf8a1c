"""How many processors there are and what they can do, as the system tells."""

import os
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
# Instructions that multiply 16-bit numbers.
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


def processor_flags(cpu_info: Path = CPU_INFO) -> frozenset[str]:
    """Reads the first processor's flags; empty where the system does not tell."""
    try:
        with open(cpu_info, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() in ("flags", "Features"):
                    return frozenset(value.split())
    except OSError:
        pass
    return frozenset()


def processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
