"""Base and builder images: found when they stand, made when they do not.

A builder image is tagged with a digest of everything that goes into it (Dockerfile, base, baked
program, settings), so it is made again exactly when one of these changes. The base is a public
Debian image where a registry answers at once, and is bootstrapped from Debian packages elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import requests
from docker.errors import DockerException, ImageNotFound

from builders.errors import (
    BuilderError,
    EcosystemNotOffered,
    ImageNotBuilt,
    SystemPackagesNotOffered,
)
from builders.orders import ImageId
from builders.sandbox_debian import apt_proxies, bootstrap
from builders.sandbox_engine import Engine, OnProgress

ECOSYSTEMS = ("python", "node", "cpp", "inspector")

# Suites that a builder can stand on, each with the public image that is tried for it.
PUBLIC_BASES: Mapping[str, str] = {
    "bookworm": "debian:bookworm-slim",
    "trixie": "debian:trixie-slim",
}

# A registry that is there answers within this; where none is, this is all the attempt costs.
REGISTRY_PATIENCE_SECONDS = 5

# A registry that answers but is slow is worse than a bootstrap.
REGISTRY_PULL_SECONDS_MAX = 120

# Names of Debian packages (Debian policy 5.6.1), optionally with a version: nothing else may
# reach the command line of an image build.
_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,80}(=[A-Za-z0-9.+:~-]{1,80})?")

# A recipe that asks for more than this wants a builder image of its own.
SYSTEM_PACKAGES_MAX = 100

# Of what a failed image build said, enough to hold every complaint of apt.
BUILD_LOG_CHARACTERS_MAX = 8000

# The classic builder paints what a step says on standard error.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

LABEL_BUILDER = "escrow.builder"

_making = threading.Lock()


class ImageStore:
    """The images that trial builds stand on, in one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def base_image(self, suite: str, on_progress: OnProgress) -> ImageId:
        """Return the base of a suite, made when absent."""
        if suite not in PUBLIC_BASES:
            raise EcosystemNotOffered(
                f"No builders on the suite '{suite[:40]}' are offered.",
                f"Name one of: {', '.join(PUBLIC_BASES)}.",
            )
        name = f"escrow/base:{suite}"
        found = self._find(name)
        if found is not None:
            return found
        with _making:
            return self._find(name) or self._make_base(suite, name, on_progress)

    def builder_image(
        self, ecosystem: str, suite: str, packages: Sequence[str], on_progress: OnProgress
    ) -> ImageId:
        """Return the builder image of an ecosystem, made when absent or outdated."""
        if ecosystem not in ECOSYSTEMS:
            raise EcosystemNotOffered(
                f"No builder image for '{ecosystem[:40]}' is offered.",
                f"Name one of: {', '.join(ECOSYSTEMS[:-1])}.",
            )
        check_package_names(packages)
        arguments = {
            "BASE": self.base_image(suite, on_progress),
            "SUITE": suite,
            "APT_MIRROR": self._engine.settings.apt_mirror or "",
            "SYSTEM_PACKAGES": " ".join(sorted(set(packages))),
        }
        files = context_files(ecosystem)
        name = f"escrow/builder-{ecosystem}:{suite}-{inputs_digest(files, arguments)[:16]}"
        found = self._find(name)
        if found is not None:
            return found
        with _making:
            return self._find(name) or self._build(name, files, arguments, on_progress)

    def name(self, image: ImageId) -> str:
        """Return the name that an image was made under; '' for one that is not of our making."""
        api: Any = self._engine.api
        with self._engine.answering():
            facts = api.inspect_image(image)
        return str(((facts.get("Config") or {}).get("Labels") or {}).get(LABEL_BUILDER, ""))

    def save(self, image: ImageId) -> Iterator[bytes]:
        """Yield an image in the engine's own form, a tar. By id, so that it is exactly this one.

        The id is a digest of configuration and layers, which the engine compares when it loads.
        """
        with self._engine.answering():
            yield from self._engine.api.get_image(image)

    def _find(self, name: str) -> ImageId | None:
        with self._engine.answering():
            api: Any = self._engine.api
            try:
                return ImageId(api.inspect_image(name)["Id"])
            except ImageNotFound:
                return None

    def _made(self, name: str) -> ImageId:
        found = self._find(name)
        if found is None:
            raise ImageNotBuilt(
                f"The engine says that it made {name}, and does not have it.",
                "Look at the engine's own log; the same call may succeed later.",
            )
        return found

    def _make_base(self, suite: str, name: str, on_progress: OnProgress) -> ImageId:
        on_progress(f"asking a registry for {PUBLIC_BASES[suite]}")
        if not pulled(self._engine, PUBLIC_BASES[suite], name):
            with tempfile.TemporaryDirectory(prefix="escrow-base-") as folder:
                tar = Path(folder) / "base.tar"
                bootstrap(suite, tar, on_progress)
                self._import(tar, name)
        return self._made(name)

    def _import(self, tar: Path, name: str) -> None:
        repository, _, tag = name.partition(":")
        with tar.open("rb") as stream, self._engine.answering():
            # Pieces, not the file itself: the client would send its length and chunks at once.
            pieces = iter(lambda: stream.read(1 << 20), b"")
            self._engine.api.import_image_from_stream(
                pieces, repository, tag, changes=["ENV LC_ALL=C.UTF-8"]
            )

    def _build(
        self,
        name: str,
        files: Mapping[str, bytes],
        arguments: Mapping[str, str],
        on_progress: OnProgress,
    ) -> ImageId:
        on_progress(f"building {name} (a minute)")
        told = ""
        with self._engine.answering():
            events = self._engine.api.build(
                fileobj=io.BytesIO(context_tar(files)),
                custom_context=True,
                tag=name,
                rm=True,
                forcerm=True,
                decode=True,
                # The Dockerfile is ours: it may use the host's resolver and proxies, which a
                # bridge often cannot reach. Proxy arguments leave no trace in the image.
                network_mode="host",
                buildargs={**arguments, **apt_proxies()},
                labels={LABEL_BUILDER: name},
            )
            for event in events:
                told = followed(told, event, on_progress)
                if "error" in event:
                    raise build_failure(name, told, arguments["SYSTEM_PACKAGES"])
        return self._made(name)


def pulled(engine: Engine, public: str, name: str) -> bool:
    """Try to get a public image under a name of ours; False, soon, where no registry answers."""
    deadline = time.monotonic() + REGISTRY_PULL_SECONDS_MAX
    repository, _, tag = public.rpartition(":")
    with engine.answering():
        api = engine.api
    try:
        # The client's own pull() waits for ever; here no two lines of progress may lie further
        # apart than our patience.
        with api.post(
            f"{api.base_url}/v{api.api_version}/images/create",
            params={"fromImage": repository, "tag": tag},
            stream=True,
            timeout=REGISTRY_PATIENCE_SECONDS,
        ) as answer:
            for line in answer.iter_lines():
                if answer.status_code != 200 or b'"error"' in line or time.monotonic() > deadline:
                    return False
        ours, _, suite = name.rpartition(":")
        return bool(api.tag(public, ours, suite))
    except (DockerException, requests.RequestException):
        return False


def followed(told: str, event: Mapping[str, Any], on_progress: OnProgress) -> str:
    """Return the end of what a build has said, one more event in; tell each of its steps.

    An event is any piece of output, often less than a line.
    """
    piece = _COLOURS.sub("", str(event.get("stream") or ""))
    if piece.startswith("Step "):
        on_progress(piece.splitlines()[0][:100])
    return (told + piece)[-BUILD_LOG_CHARACTERS_MAX:]


def build_failure(name: str, told: str, packages: str) -> BuilderError:
    """Return the error of a failed image build: the recipe's, where it names unknown packages."""
    lines = [line.strip()[:200] for line in told.splitlines() if line.strip()] or ["no message"]
    complaints = [line for line in lines if line.startswith(("E: ", "W: "))]
    unknown = ("E: Unable to locate package", "E: Version", "E: Package", "E: Couldn't find")
    if packages and any(line.startswith(unknown) for line in complaints):
        return SystemPackagesNotOffered(
            f"The suite does not offer what the recipe asks for: {complaints[-1]}.",
            "Correct the names under 'system' in escrow.toml.",
        )
    return ImageNotBuilt(
        f"The image {name} could not be built: {(complaints or lines)[-1]}",
        "Check that this machine's Debian mirror answers; the next attempt starts anew.",
    )


def check_package_names(packages: Iterable[str]) -> None:
    """Refuse names that are no names of Debian packages.

    Raises:
        SystemPackagesNotOffered: with the first name that is none.
    """
    names = list(packages)
    for name in names:
        if not _PACKAGE_NAME.fullmatch(name):
            raise SystemPackagesNotOffered(
                f"{name[:60]!r} is not the name of a Debian package.",
                "Name packages as Debian does, e.g. libpq-dev, under 'system' in escrow.toml.",
            )
    if len(names) > SYSTEM_PACKAGES_MAX:
        raise SystemPackagesNotOffered(
            f"The recipe asks for {len(names)} Debian packages; {SYSTEM_PACKAGES_MAX} are offered.",
            "Deposit a builder image of your own instead.",
        )


def context_files(ecosystem: str) -> dict[str, bytes]:
    """Return the build context of an ecosystem: its Dockerfile, and our program for the inspector.

    The program keeps its place in the package, so that it imports in the image as it does here.
    """
    package = resources.files("builders")
    files = {"Dockerfile": (package / "images" / ecosystem / "Dockerfile").read_bytes()}
    if ecosystem == "inspector":
        for name in ("__init__.py", "seccomp.json"):
            files[f"program/builders/{name}"] = (package / name).read_bytes()
        files |= _python_files(package / "inspector", "program/builders/inspector")
    return files


def _python_files(folder: Traversable, path: str) -> dict[str, bytes]:
    sources = folder.iterdir() if folder.is_dir() else ()
    return {f"{path}/{each.name}": each.read_bytes() for each in sources if each.name[-3:] == ".py"}


def inputs_digest(files: Mapping[str, bytes], arguments: Mapping[str, str]) -> str:
    """Return the digest of everything that decides what an image will be."""
    digest = hashlib.sha256()
    named = [*files.items(), *((name, value.encode()) for name, value in arguments.items())]
    for name, content in sorted(named):
        digest.update(f"{len(name)}:{name}{len(content)}:".encode() + content)
    return digest.hexdigest()


def context_tar(files: Mapping[str, bytes]) -> bytes:
    """Return a build context with fixed times and owners, so that the engine's cache holds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
