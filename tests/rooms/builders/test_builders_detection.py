"""What is recognised in a tree, by the trees that vendors have."""

import json
import tomllib

import pytest

from builders.detection import detect
from builders.plan import drafted_recipe
from builders.recipes import parse_recipe

PYPROJECT = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "p"\nversion = "1"\n'
TOOLS_ONLY = "[tool.ruff]\nline-length = 100\n"
PACKAGE = '{"name": "p", "version": "1.0.0"}'
TOOLING = '{"private": true, "devDependencies": {"prettier": "3"}}'
WITH_BUILD = (
    '{"private": true, "scripts": {"build": "tsc"}, "devDependencies": {"typescript": "5"}}'
)
LOCK = '{"lockfileVersion": 3, "packages": {"": {}}}'
CMAKE = "cmake_minimum_required(VERSION 3.20)\nproject(p C)\n"
MAKE = "all:\n\tcc -o p p.c\n"

TREES = {
    "python package": ({"pyproject.toml": PYPROJECT}, ["python package"]),
    "python with setup.py": ({"setup.py": "import setuptools"}, ["python package"]),
    "python with setup.cfg": ({"setup.cfg": "[metadata]\nname=p\n"}, ["python package"]),
    "setup.cfg of tools only": ({"setup.cfg": "[flake8]\n"}, []),
    "python application": ({"requirements.txt": "flask\n", "app.py": ""}, ["python application"]),
    "tools in pyproject": (
        {"pyproject.toml": TOOLS_ONLY, "requirements.txt": ""},
        ["python application"],
    ),
    "tools in pyproject alone": ({"pyproject.toml": TOOLS_ONLY}, []),
    "poetry": ({"pyproject.toml": '[tool.poetry]\nname = "p"\n'}, ["python package"]),
    "pipenv": ({"Pipfile": ""}, ["python-pipenv not offered"]),
    "python and its task runner": (
        {"pyproject.toml": PYPROJECT, "Makefile": MAKE},
        ["python package"],
    ),
    "python with a C extension": ({"setup.py": "", "CMakeLists.txt": CMAKE}, ["python package"]),
    "python and docs": ({"setup.py": "", "docs/requirements.txt": "sphinx"}, ["python package"]),
    "python and examples": (
        {"setup.py": "", "examples/x/package.json": PACKAGE},
        ["python package"],
    ),
    "two pythons": ({"a/setup.py": "", "b/setup.py": ""}, ["python package a", "python package b"]),
    "workspace member": ({"setup.py": "", "plugins/x/setup.py": ""}, ["python package"]),
    "python and tooling": ({"setup.py": "", "package.json": TOOLING}, ["python package"]),
    "python and a web part": (
        {"setup.py": "", "web/package.json": WITH_BUILD},
        ["python package", "node npm web"],
    ),
    "broken pyproject": ({"pyproject.toml": "[[["}, []),
    "node package": ({"package.json": PACKAGE}, ["node npm"]),
    "node with lock": ({"package.json": WITH_BUILD, "package-lock.json": LOCK}, ["node npm"]),
    "node by yarn": ({"package.json": WITH_BUILD, "yarn.lock": ""}, ["node foreign not offered"]),
    "node by pnpm": (
        {"package.json": WITH_BUILD, "pnpm-lock.yaml": ""},
        ["node foreign not offered"],
    ),
    "yarn without dependencies": ({"package.json": PACKAGE, "yarn.lock": ""}, ["node npm"]),
    "tooling alone": ({"package.json": TOOLING}, ["node npm"]),
    "tooling above two components": (
        {"package.json": TOOLING, "api/setup.py": "", "web/package.json": WITH_BUILD},
        ["python package api", "node npm web"],
    ),
    "npm workspaces": (
        {"package.json": '{"workspaces": ["a"]}', "a/package.json": PACKAGE},
        ["node npm"],
    ),
    "installed modules": (
        {"package.json": PACKAGE, "node_modules/x/package.json": PACKAGE},
        ["node npm"],
    ),
    "make": ({"Makefile": MAKE, "p.c": ""}, ["cpp make"]),
    "cmake": ({"CMakeLists.txt": CMAKE, "lib/CMakeLists.txt": "add_library(l)"}, ["cpp cmake"]),
    "cmake and make": ({"CMakeLists.txt": CMAKE, "Makefile": MAKE}, ["cpp cmake"]),
    "cmake and tools' requirements": (
        {"CMakeLists.txt": CMAKE, "requirements.txt": "conan\n"},
        ["cpp cmake"],
    ),
    "cmake without project": ({"CMakeLists.txt": "add_library(l)", "Makefile": MAKE}, ["cpp make"]),
    "autotools": ({"configure.ac": "AC_INIT", "Makefile.am": ""}, ["cpp autotools"]),
    "released autotools": ({"configure": "", "Makefile.in": ""}, ["cpp configure"]),
    "meson": ({"meson.build": "project('p')"}, ["cpp meson"]),
    "meson and autotools": ({"meson.build": "", "configure.ac": ""}, ["cpp autotools"]),
    "vendored library": ({"Makefile": MAKE, "vendor/z/CMakeLists.txt": CMAKE}, ["cpp make"]),
    "maven": ({"pom.xml": "<project/>"}, ["java not offered"]),
    "gradle beside python": (
        {"api/build.gradle": "", "ml/setup.py": ""},
        ["java api not offered", "python package ml"],
    ),
    "rust": ({"Cargo.toml": "[package]"}, ["rust not offered"]),
    "go": ({"go.mod": "module x"}, ["go not offered"]),
    "dotnet": ({"src/p.csproj": "<Project/>"}, ["dotnet src not offered"]),
    "solutions below cmake": (
        {"CMakeLists.txt": CMAKE, "msvc/p.sln": "", "csharp/p.csproj": ""},
        ["cpp cmake", "dotnet csharp not offered"],
    ),
    "bazel beside cmake": ({"MODULE.bazel": "", "CMakeLists.txt": CMAKE}, ["cpp cmake"]),
    "a Dockerfile alone": ({"Dockerfile": "FROM x"}, ["docker not offered"]),
    "a Dockerfile beside": ({"Dockerfile": "FROM x", "setup.py": ""}, ["python package"]),
    "nothing": ({"README": "hello"}, []),
}


def _told(candidate):
    words = [candidate.ecosystem]
    words += [candidate.style] if candidate.style != candidate.ecosystem else []
    words += [candidate.directory] if candidate.directory else []
    return " ".join(words + ([] if candidate.offered else ["not offered"]))


@pytest.mark.parametrize("name", TREES)
def test_tree_is_recognised(inspect_tree, name):
    files, expected = TREES[name]
    found = detect(inspect_tree({**files, "NOTICE": "x"}).markers)
    assert [_told(candidate) for candidate in found] == expected


@pytest.mark.parametrize("name", TREES)
def test_draft_is_a_recipe_or_says_why_not(inspect_tree, name):
    files, _ = TREES[name]
    inspection = inspect_tree({**files, "NOTICE": "x"})
    draft = drafted_recipe(inspection)
    offered = [candidate.name for candidate in detect(inspection.markers) if candidate.offered]
    if offered:
        assert [c.name for c in parse_recipe(tomllib.loads(draft)).components] == offered
    else:
        assert "[[component]]" not in draft


def test_every_candidate_names_its_file(inspect_tree):
    found = detect(inspect_tree({"api/setup.py": "", "web/package.json": PACKAGE}).markers)
    assert [candidate.because for candidate in found] == ["api/setup.py", "web/package.json"]


def test_names_of_components_are_unique(inspect_tree):
    found = detect(
        inspect_tree({"a/x/setup.py": "", "b/x/setup.py": "", "c/x/setup.py": ""}).markers
    )
    names = [candidate.name for candidate in found]
    assert len(set(names)) == 3, names


def test_hostile_folder_name_stays_out_of_the_recipe(inspect_tree):
    files = {'a"]\nbuild = ["rm -rf /"]/setup.py': ""}
    draft = drafted_recipe(inspect_tree(files))
    (component,) = parse_recipe(tomllib.loads(draft)).components
    assert json.dumps(component.directory) in draft
    assert component.build[0].startswith("python3 -m pip wheel")
