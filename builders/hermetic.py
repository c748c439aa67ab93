"""The environment of an offline build: nothing of the worker, and no tool that asks the network.

A tool that would try and wait is told beforehand that there is no network, so that it fails at
once and names what it misses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from builders.commands import Brought

HOME = "/ws/home"

_CONSTANT: Mapping[str, str] = {
    "HOME": HOME,
    "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "NO_COLOR": "1",
    # What tools take for 'nobody sits here': no prompts, no animation, no telemetry questions.
    "CI": "true",
    "DEBIAN_FRONTEND": "noninteractive",
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "PIP_NO_INDEX": "1",
    "PIP_RETRIES": "0",
    "PIP_NO_INPUT": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    # The image is thrown away after the phase; Debian's guard for its own Python has no meaning.
    "PIP_BREAK_SYSTEM_PACKAGES": "1",
    "npm_config_offline": "true",
    "npm_config_nodedir": "/usr",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
    "npm_config_progress": "false",
    # npm's own log would otherwise be written into the deposited cache.
    "npm_config_logs_max": "0",
}


def hermetic_environment(
    name: str, jobs: int, source_date_epoch: int, brought: Brought, own: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of one component's phases.

    Args:
        name: the component's name; its results and intermediate files have folders of this name.
        jobs: processes at once.
        source_date_epoch: the time that stands for now in what is built.
        brought: where deposited dependencies lie.
        own: what the recipe sets; it comes last.
    """
    found = dict(_CONSTANT)
    found["OUT"] = f"/ws/out/{name}"
    found["BUILD"] = f"/ws/build/{name}"
    found["JOBS"] = str(jobs)
    found["SOURCE_DATE_EPOCH"] = str(source_date_epoch)
    found["npm_config_cache"] = next(_places(brought.npm), f"{HOME}/.npm")
    if brought.pypi:
        found["PIP_FIND_LINKS"] = " ".join(_places(brought.pypi))
    found.update(own)
    return found


def _places(folders: Iterable[str]) -> Iterator[str]:
    """Yield the folders as absolute paths; pip splits at spaces, so such a folder is left out."""
    return (f"/ws/{folder}" for folder in folders if not any(char.isspace() for char in folder))
