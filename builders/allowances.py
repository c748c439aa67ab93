"""What one component may use: the default, what its recipe asks for, and this installation's most.

Asking for more than is given is no failure of the deposit: it is said, and nothing is run with
less, because a build that dies of our limit would be counted against the vendor.
"""

from __future__ import annotations

from dataclasses import replace

from builders.findings import Finding
from builders.orders import Limits
from builders.recipes import LimitsRecipe

GIB = 1 << 30
_MIB = 1 << 20

# What one component gets where its recipe asks for nothing: a laptop's build.
DEFAULT_LIMITS = Limits(cpus=2.0, memory_bytes=4 * GIB, disk_bytes=4 * GIB, seconds=45 * 60)

# What it may ask for where the installation names nothing else.
CEILING = Limits(cpus=8.0, memory_bytes=16 * GIB, disk_bytes=8 * GIB, seconds=4 * 3600)

# The one workspace of a deposit: all that its phases may use of disk together.
WORKSPACE_LIMITS = CEILING

# What one phase may print. The longest real builds print some 10 MiB.
OUTPUT_BYTES_MAX = 32 * _MIB


def component_limits(asked: LimitsRecipe, ceiling: Limits) -> Limits:
    """Return what a component gets; call :func:`over_ceiling` first."""
    return replace(
        ceiling,
        cpus=asked.cpus or min(DEFAULT_LIMITS.cpus, ceiling.cpus),
        memory_bytes=asked.memory_bytes or min(DEFAULT_LIMITS.memory_bytes, ceiling.memory_bytes),
        disk_bytes=asked.disk_bytes or min(DEFAULT_LIMITS.disk_bytes, ceiling.disk_bytes),
        seconds=asked.minutes * 60
        if asked.minutes
        else min(DEFAULT_LIMITS.seconds, ceiling.seconds),
    )


def over_ceiling(name: str, asked: LimitsRecipe, ceiling: Limits) -> Finding | None:
    """Return what a component asks for and is not given here, if anything."""
    rows = (
        ("cpus", asked.cpus, ceiling.cpus, 1.0, ""),
        ("memory", asked.memory_bytes, ceiling.memory_bytes, _MIB, " MiB"),
        ("disk", asked.disk_bytes, ceiling.disk_bytes, _MIB, " MiB"),
        ("minutes", asked.minutes, ceiling.seconds / 60, 1.0, ""),
    )
    for what, wanted, given, unit, suffix in rows:
        if wanted is not None and wanted > given:
            facts = {
                "what": what,
                "asked": f"{wanted / unit:g}{suffix}",
                "given": f"{given / unit:g}{suffix}",
            }
            return Finding("E-PLAN-LIMITS", facts, name)
    return None
