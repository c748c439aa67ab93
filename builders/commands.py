"""The commands that build a component where its recipe names none, by ecosystem and style.

Pure. Each function gets the marker files of one folder and what dependencies the deposit brings,
and returns shell lines. They write results into ``$OUT`` and intermediate files into ``$BUILD``,
and use ``$JOBS`` processes at once. None of them needs the network; what is missing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from builders.detection import (
    Candidate,
    build_requirements_of,
    declares_build_system,
    dependencies_of,
    requirement_name,
)

# What the Python builder image has of its own (Debian's python3-setuptools and python3-wheel): it
# travels with the package, as a compiler does. Everything else a deposit must bring.
IMAGE_BUILD_TOOLS = frozenset(("setuptools", "wheel"))

# Scripts that run on the way to a packed result.
_NODE_STEPS = ("build", "prepare", "prepack", "prepublish", "postpack", "preinstall", "install")

# Parts of a wheel that need not compile: data of tests, templates, code for other Pythons.
_NOT_COMPILED = (
    "/(tests?|testing|test_?data|fixtures|examples?|samples?|templates?|_?vendor(ed)?|lib2to3)/"
    "|py[23]"
)

_INSTALL_TARGET = "install"


@dataclass(frozen=True)
class Brought:
    """What dependencies a deposit brings: folders as paths of the workspace, and names in them."""

    pypi: tuple[str, ...] = ()
    pypi_names: frozenset[str] = frozenset()
    npm: tuple[str, ...] = ()
    node_modules: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Commands:
    """Shell lines, and what the planner has to say about them.

    ``image_tools`` are build tools taken from the image; ``unlocked`` says that declared
    dependencies have no lock file; the last two are declared distributions found in no store.
    """

    build: tuple[str, ...]
    image_tools: tuple[str, ...] = ()
    unlocked: bool = False
    undeposited: tuple[str, ...] = ()
    undeposited_tools: tuple[str, ...] = ()


def default_commands(candidate: Candidate, brought: Brought) -> Commands:
    """Return how a recognised component is built."""
    styles: Mapping[tuple[str, str], Callable[[Candidate, Brought], Commands]] = {
        ("python", "package"): _python_package,
        ("python", "application"): _python_application,
        ("node", "npm"): _node,
        ("cpp", "cmake"): _cmake,
        ("cpp", "autotools"): _autotools,
        ("cpp", "configure"): _configure,
        ("cpp", "meson"): _meson,
        ("cpp", "make"): _make,
    }
    return styles[candidate.ecosystem, candidate.style](candidate, brought)


def _python_package(candidate: Candidate, brought: Brought) -> Commands:
    requires = build_requirements_of(candidate.folder)
    # A build-system that requires nothing brings its backend along; none at all means setuptools.
    if not requires and not declares_build_system(candidate.folder):
        requires = ("setuptools",)
    names = {requirement_name(line) or line for line in requires}
    from_image = bool(names) and names <= IMAGE_BUILD_TOOLS and not names & brought.pypi_names
    isolation = "--no-build-isolation --check-build-dependencies " if from_image else ""
    # Only the first line makes the result: the second fails where a runtime dependency is not
    # deposited, the last where a module is no Python; pip packs such a one without a word.
    return Commands(
        build=(
            f'python3 -m pip wheel --no-deps {isolation}--wheel-dir "$OUT" .',
            'python3 -m pip install --target "$BUILD/installed" "$OUT"/*.whl',
            'python3 -m zipfile -e "$OUT"/*.whl "$BUILD/wheel"',
            f'(cd "$BUILD/wheel" && python3 -m compileall -q -x "{_NOT_COMPILED}" .)',
        ),
        image_tools=tuple(sorted(names)) if from_image else (),
        undeposited=_undeposited(dependencies_of(candidate.folder), brought),
        undeposited_tools=() if from_image else _undeposited(requires, brought),
    )


def _python_application(candidate: Candidate, brought: Brought) -> Commands:
    lines = candidate.folder["requirements.txt"].get("lines")
    install = 'python3 -m pip install --target "$OUT/app" -r requirements.txt'
    return Commands(
        build=(
            'python3 -m compileall -q -x "/(deps|vendor|tests?|node_modules|[.]git)/" .',
            *((install,) if lines else ()),
            'mkdir -p "$OUT/app" && tar -c --exclude=./.git --exclude=./deps --exclude=./vendor '
            '-f "$BUILD/app.tar" . && tar -x -C "$OUT/app" -f "$BUILD/app.tar"',
        ),
        undeposited=_undeposited(dependencies_of(candidate.folder), brought),
    )


def _undeposited(wanted: Iterable[str], brought: Brought) -> tuple[str, ...]:
    """Return the requirements that no store holds by name; those with a marker may not apply."""
    names = {line: requirement_name(line) for line in sorted(wanted)}
    return tuple(line for line, name in names.items() if name and name not in brought.pypi_names)


def _node(candidate: Candidate, brought: Brought) -> Commands:
    folder = candidate.folder
    package = folder["package.json"]
    scripts = package.get("scripts")
    locked = next((n for n in ("npm-shrinkwrap.json", "package-lock.json") if n in folder), None)
    members = "--workspaces --if-present" if package.get("workspaces") else ""
    scripts = scripts if isinstance(scripts, Mapping) else {}
    # Tools of development are only needed where something calls them on the way to the result.
    needs_tools = bool(members) or any(name in scripts for name in _NODE_STEPS)
    tools = package.get("dev_dependencies") if needs_tools else None
    declared = bool(package.get("dependencies") or tools)
    brings_modules = candidate.directory in brought.node_modules and not brought.npm
    held = bool(locked and needs_tools and folder[locked].get("packages"))
    install: tuple[str, ...] = ()
    if not brings_modules and (declared or held):
        only = "" if needs_tools else " --omit=dev"
        install = ((f"npm ci{only}") if locked else "npm install",)
    if "build" in scripts:
        install += ("npm run build",)
    elif members:
        install += (f"npm run build {members}",)
    return Commands(
        build=(*install, _node_result(package, bool(members))), unlocked=declared and locked is None
    )


def _node_result(package: Mapping[str, object], has_members: bool) -> str:
    if has_members:
        return 'npm pack --workspaces --pack-destination "$OUT"'
    if package.get("name") and package.get("version"):
        return 'npm pack --pack-destination "$OUT"'
    # Without name and version npm packs nothing; the application is its folder.
    return (
        "tar -c --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner "
        '--exclude=./.git --exclude=./deps -f "$OUT/application.tar" .'
    )


def _cmake(_candidate: Candidate, _brought: Brought) -> Commands:
    return Commands(
        (
            'cmake -S . -B "$BUILD" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr',
            'cmake --build "$BUILD" --parallel "$JOBS"',
            'DESTDIR="$OUT" cmake --install "$BUILD"',
        )
    )


def _autotools(candidate: Candidate, _brought: Brought) -> Commands:
    folder = candidate.folder
    prepare: tuple[str, ...] = ()
    if "configure" not in folder:
        script = next((name for name in ("autogen.sh", "bootstrap") if name in folder), None)
        made = f"NOCONFIGURE=1 sh ./{script}" if script else "autoreconf --force --install"
        prepare = (made,)
    return Commands(
        (
            *prepare,
            "sh ./configure --prefix=/usr",
            'make -j"$JOBS"',
            'make install DESTDIR="$OUT"',
        )
    )


def _configure(candidate: Candidate, brought: Brought) -> Commands:
    """A configure script without its source may be hand-written: DESTDIR then proves nothing."""
    if "Makefile.in" in candidate.folder or "Makefile.am" in candidate.folder:
        return _autotools(candidate, brought)
    return Commands(("sh ./configure --prefix=/usr", "make"))


def _meson(_candidate: Candidate, _brought: Brought) -> Commands:
    return Commands(
        (
            'meson setup --prefix=/usr --buildtype=release --wrap-mode=nodownload "$BUILD"',
            'meson compile -C "$BUILD" -j "$JOBS"',
            'DESTDIR="$OUT" meson install -C "$BUILD" --no-rebuild',
        )
    )


def _make(candidate: Candidate, _brought: Brought) -> Commands:
    """A hand-written Makefile need not bear several jobs, nor an install below another root."""
    parsed = candidate.folder[candidate.because.rpartition("/")[2]]
    targets = parsed.get("targets")
    installs = isinstance(targets, list) and _INSTALL_TARGET in targets and parsed.get("destdir")
    install = 'make install DESTDIR="$OUT" PREFIX=/usr prefix=/usr'
    return Commands(("make", install) if installs else ("make",))
