"""The builder images of this installation, made when missing."""

from __future__ import annotations

from collections.abc import Callable

from builders.sandbox import ECOSYSTEMS, Sandbox, SandboxSettings
from escrow.ground.settings import Settings


def sandbox_of(settings: Settings) -> Sandbox:
    """Return the sandbox on the engine that the settings name."""
    return Sandbox(
        SandboxSettings(docker_host=settings.docker_host, runtime=settings.sandbox_runtime)
    )


def make_images(settings: Settings, tell: Callable[[str], None]) -> dict[str, str]:
    """Make every builder image that is missing or outdated; return their ids by ecosystem.

    Raises:
        EngineUnavailable: no engine answers.
        ImageNotBuilt: one cannot be made on this machine.
    """
    sandbox = sandbox_of(settings)
    return {name: str(sandbox.builder_image(name, on_progress=tell)) for name in sorted(ECOSYSTEMS)}
