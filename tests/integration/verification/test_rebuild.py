"""The beneficiary's own rebuild: an opened package, a shell, Docker and tar, and nothing else."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from escrow.testing import worker
from escrow.testing.gits import TrialRepository
from escrow.testing.packages import DEPOSIT, STOCK, opened_package, rebuild, stock_path
from escrow.testing.verification import VerificationWorld, tar_of

ODD = 'it\'s "odd" $(touch hacked) `touch hacked`\n-rf;touch hacked'
MAKEFILE = b"all: ledger\nledger: ledger.c\n\tcc -o ledger ledger.c\n"
LEDGER = b'#include <stdio.h>\nint main(void) { puts("ledger"); return 0; }\n'
TOOL = {"README": b"Run make.\n", "tool/Makefile": MAKEFILE, "tool/ledger.c": LEDGER}
PYTHON = {
    "api/pyproject.toml": b"""[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "ledger"
version = "1.0"
""",
    "api/ledger/__init__.py": b"ACCOUNTS = {'cash', 'stock', 'debts'}\n",
}
NODE = {
    "web/package.json": json.dumps(
        {"name": "web", "version": "1.0.0", "main": "hello.js", "files": ["hello.js"]}
    ).encode(),
    "web/hello.js": b"module.exports = 'hello';\n",
}
EVERYTHING = {**TOOL, **PYTHON, **NODE}
TIMES = {
    "Makefile": b"all:\n\tdate +%N > out.txt\n",
    "escrow.toml": b"""schema = 1
[[component]]
name = "times"
dir = ""
builder = "cpp"
build = ['date +%N > "$OUT/now.txt"', 'echo same > "$OUT/same.txt"']
""",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerificationWorld]:
    made = worker.world_of(tmp_path_factory.mktemp("worker"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stock_path(tmp_path_factory.mktemp("stock") / "bin")


def deposited(
    world: VerificationWorld, parts: Mapping[str, bytes], folder: Path, verdict: str = "pass"
) -> Path:
    """Deposit parts, verify them, and return what a release would have handed over, opened."""
    deposit_id = world.sealed_deposit({}, parts)
    assert world.verify(deposit_id).verdict == verdict
    folder.mkdir()
    return opened_package(world, deposit_id, parts, folder)


@pytest.fixture(scope="module")
def tool(world: VerificationWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The opened package of a small C program; copied by whoever changes it."""
    return deposited(world, {"source/core": tar_of(TOOL)}, tmp_path_factory.mktemp("tool") / "it")


@pytest.fixture
def package(tool: Path, tmp_path: Path) -> Path:
    """A copy of it, its images as links."""
    shutil.copytree(tool, tmp_path / "it", copy_function=_linked)
    return tmp_path / "it"


def _linked(source: str, target: str) -> None:
    if source.endswith(".tar"):
        Path(target).hardlink_to(source)
    else:
        shutil.copy(source, target)


def test_python_node_and_c_come_out_identical(world, path, tmp_path) -> None:
    package = deposited(world, {"source/core": tar_of(EVERYTHING)}, tmp_path / "it")
    done = rebuild(package, path)
    assert done.returncode == 0, done.stdout
    assert "IDENTICAL" in done.stdout
    rebuilt = [one.name for one in (package / "rebuilt").rglob("*") if one.is_file()]
    assert sorted(rebuilt) == ["ledger", "ledger-1.0-py3-none-any.whl", "web-1.0.0.tgz"]


def test_a_git_source_and_parts_of_odd_names(world, path, tmp_path) -> None:
    repository = TrialRepository(tmp_path / "repository")
    repository.commit({name.removeprefix("tool/"): content for name, content in TOOL.items()})
    bundle = repository.git("bundle", "create", "-", "--all")
    parts = {f"source/{ODD}": bundle, f"docs/{ODD}": b"text", "docs/-rf": b"more"}
    package = deposited(world, parts, tmp_path / "it")
    done = rebuild(package, path)
    assert done.returncode == 0, done.stdout
    assert "identical  src/ledger" in done.stdout
    assert not list(tmp_path.rglob("hacked"))


def test_a_folder_and_a_result_of_odd_names(world, path, tmp_path) -> None:
    odd = ODD.replace("\n", " ")
    recipe = {
        "dir": odd,
        "name": "odd",
        "builder": "cpp",
        "build": [f"cat in in > {shlex.quote(odd)}"],
    }
    text = "schema = 1\n[[component]]\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in recipe.items()
    )
    text += f"[[component.artifact]]\npath = {json.dumps('it*')}\n"
    files = {"escrow.toml": text.encode(), f"{odd}/in": b"made\n", "README": b"x"}
    package = deposited(world, {"source/core": tar_of(files)}, tmp_path / "it")
    done = rebuild(package, path)
    assert done.returncode == 0, done.stdout
    assert not list(tmp_path.rglob("hacked"))
    assert (package / "rebuilt/ledger/deposit-1/src" / odd / odd).read_bytes() == b"made\nmade\n"


def test_an_altered_deposit_is_told_as_different(package, path) -> None:
    altered = {**TOOL, "tool/ledger.c": LEDGER.replace(b"ledger", b"LEDGER")}
    (package / DEPOSIT / "parts/source/core").write_bytes(tar_of(altered))
    done = rebuild(package, path)
    assert done.returncode == 1, done.stdout
    assert "altered: the part source/core is not the one that was deposited" in done.stdout
    assert "different  src/tool/ledger" in done.stdout


def test_an_altered_part_is_told_though_the_results_are_the_same(package, path) -> None:
    part = package / DEPOSIT / "parts/source/core"
    part.write_bytes(tar_of({**TOOL, "NOTES": b"not read by the build\n"}))
    done = rebuild(package, path)
    assert done.returncode == 1, done.stdout
    assert "not every part is as deposited" in done.stdout


def test_a_part_that_is_missing(package, path) -> None:
    (package / DEPOSIT / "parts/source/core").unlink()
    done = rebuild(package, path)
    assert (done.returncode, "parts/source/core is not there" in done.stdout) == (2, True)


def test_an_engine_that_lacks_the_images_loads_them_from_the_package(package, path) -> None:
    """As on the beneficiary's own machine, which has never seen a builder."""
    kept = {}
    for image in (package / "opened/images").glob("*.tar"):
        builder = f"escrow/builder-{kind(image)}:"
        tag = next(name for _, name in ours() if name.startswith(builder))
        kept[tag] = image
        subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)
    before = {identity for identity, _ in ours()}
    done = rebuild(package, path)
    assert done.returncode == 0, done.stdout
    for tag, image in kept.items():
        # Put back under its name, or the next test would make it anew.
        command = ["docker", "load", "-q", "-i", str(image)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        identity = told.strip().removeprefix("Loaded image ID: ")
        assert identity not in before
        subprocess.run(["docker", "tag", identity, tag], check=True)


def kind(image: Path) -> str:
    """Return which builder an archive of a package holds."""
    return next(one for one in ("inspector", "cpp") if one in image.name)


def ours() -> list[tuple[str, str]]:
    """Return id and name of every builder image that the engine has."""
    command = ["docker", "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = [tuple(line.split(" ", 1)) for line in listed.splitlines()]
    return [(identity, name) for identity, name in found if name.startswith("escrow/builder-")]


@pytest.mark.parametrize("programs", [STOCK, (*STOCK, "sha256sum")])
@pytest.mark.parametrize("of", ["inspector", "cpp"])
def test_a_damaged_image_is_refused(package, tmp_path, programs, of) -> None:
    (image,) = (package / "opened/images").glob(f"*{of}*.tar")
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.unlink()
    image.write_bytes(content)
    done = rebuild(package, stock_path(tmp_path / "bin", programs))
    assert done.returncode == 2, done.stdout
    assert "COULD NOT REBUILD: the image" in done.stdout
    assert "Building" not in done.stdout


def test_another_image_than_the_kit_names_is_refused(package, path) -> None:
    inspector, cpp = (next((package / "opened/images").glob(f"*{one}*")) for one in ("insp", "cpp"))
    cpp.unlink()
    cpp.hardlink_to(inspector)
    done = rebuild(package, path)
    assert (done.returncode, "another digest" in done.stdout) == (2, True), done.stdout


def test_a_build_that_is_not_reproducible_says_so(world, path, tmp_path) -> None:
    package = deposited(world, {"source/core": tar_of(TIMES)}, tmp_path / "it")
    done = rebuild(package, path)
    assert done.returncode == 1, done.stdout
    assert "identical  out/times/same.txt" in done.stdout
    assert "different  out/times/now.txt" in done.stdout


def test_a_build_that_failed_fails_again_and_nothing_is_claimed(world, path, tmp_path) -> None:
    broken = {**TOOL, "tool/ledger.c": b"#include <nowhere.h>\n"}
    package = deposited(world, {"source/core": tar_of(broken)}, tmp_path / "it", "fail")
    done = rebuild(package, path)
    assert done.returncode == 2, done.stdout
    assert "the trial build failed here as well" in done.stdout


def test_several_opened_deposits_are_rebuilt_one_after_another(package, path) -> None:
    second = package / "opened/ledger/deposit-2"
    shutil.copytree(package / DEPOSIT, second)
    (second / "parts/source/core").write_bytes(tar_of({**TOOL, "NOTES": b""}))
    done = rebuild(package, path, shell="/bin/bash")
    assert done.returncode == 1, done.stdout
    assert done.stdout.index("IDENTICAL") < done.stdout.index("DIFFERENT")
    assert {one.name for one in (package / "rebuilt/ledger").iterdir()} == {
        "deposit-1",
        "deposit-2",
    }


def test_the_one_that_is_named_is_rebuilt(package, path) -> None:
    shutil.copytree(package / DEPOSIT, package / "opened/ledger/deposit-2")
    done = rebuild(package, path, "opened/ledger/deposit-2")
    assert done.returncode == 0, done.stdout
    assert [one.name for one in (package / "rebuilt/ledger").iterdir()] == ["deposit-2"]


def test_nothing_of_a_rebuild_stays_in_the_engine(package, path) -> None:
    import docker

    rebuild(package, path)
    client = docker.from_env()
    volumes = [one.name for one in client.volumes.list() if "rebuild" in one.name]
    client.close()
    assert volumes == []


# What a build can see of its surroundings. Written into a result, it is compared byte for byte.
SURROUNDINGS = """
env | sort
id; hostname; pwd; umask; ulimit -a
grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status
grep -E ' (/|/ws|/tmp|/dev/shm) ' /proc/mounts | sed 's/lowerdir=.*//' | cut -d' ' -f2-
ls /sys/class/net
cat /proc/1/oom_score_adj
for one in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes pids/pids.max \\
    cpu/cpu.cfs_quota_us memory.max memory.swap.max pids.max cpu.max; do
    [ ! -f /sys/fs/cgroup/$one ] || echo $one $(cat /sys/fs/cgroup/$one)
done
find /ws -path /ws/src/.git -prune -o -printf '%p %m %U:%G %y %l\\n' | sort
find /ws/src -type f -not -path '*/.git/*' -printf '%p %t\\n' | sort
[ -t 0 ] || echo no terminal; cat
"""


def test_a_rebuild_sees_exactly_what_the_trial_build_saw(world, path, tmp_path) -> None:
    recipe = {
        "name": "seen",
        "dir": "in side",
        "builder": "cpp",
        "build": ['sh look.sh > "$OUT/surroundings.txt" 2>&1'],
        "env": {"OWN": 'it\'s "own" $HOME\n`id`\\'},
    }
    lines = [f"{key} = {_toml(value)}" for key, value in recipe.items()]
    text = "\n".join(["schema = 1", "[[component]]", *lines, ""])
    repository = TrialRepository(tmp_path / "repository")
    repository.commit({"escrow.toml": text, "in side/look.sh": SURROUNDINGS, "run.sh": "true\n"})
    bundle = repository.git("bundle", "create", "-", "--all")
    package = deposited(world, {"source/core": bundle}, tmp_path / "it")
    done = rebuild(package, path)
    (seen,) = (package / "rebuilt").rglob("surroundings.txt")
    assert done.returncode == 0, done.stdout + seen.read_text()
    for said in ("OWN=it's", "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"):
        assert said in seen.read_text()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)
