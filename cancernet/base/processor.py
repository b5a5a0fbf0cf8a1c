"""What this machine's processor offers."""

import os
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
# Instructions that multiply 16-bit numbers.
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


def processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_fact(*names: str, cpu_info: Path = CPU_INFO) -> str:
    """Returns what Linux tells of the first processor by one of these names; else ""."""
    try:
        with open(cpu_info, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() in names:
                    return value.strip()
    except OSError:
        pass
    return ""


def processor_flags(cpu_info: Path = CPU_INFO) -> frozenset[str]:
    """Returns the first processor's flags; empty where the system does not tell."""
    return frozenset(processor_fact("flags", "Features", cpu_info=cpu_info).split())
