"""What the inspector sees in parts that are as they should be, or merely incomplete."""

import base64
import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from builders.inspection import frames, parse_inspection
from builders.inventory import inventory_findings
from builders.orders import PartInput

ROOT = Path(__file__).parents[3]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12345\n"
SEVEN_ZIPS = {
    "open": (
        "N3q8ryccAARRLfR/bAAAAAAAAAAUAAAAAAAAAJzir5TgAHcADF0AOZlIke665j5yauAAAOAAUgBQXQAAgTMHrg/PObAM"
        "B7DD2irXWGSss3jOVN4vK4GFkkH6V5xhM+fEGReWkYg3Mg1QQDwxdrj5WXbMFqzess2dMPc2AIttnArc7FRq9Ev6NgAA"
        "AAAXBhQBCVgABwsBAAEhIQEYDFMAAA=="
    ),
    "content encrypted": (
        "N3q8ryccAASHOjBtiwAAAAAAAAAUAAAAAAAAAFZXWhJ+WqIXGkTjyk5CR40tu63D9K60QlxADtzd65OPgmuaLwEAZgEE"
        "BgABCSAKAa6XOyEABwsBAAIkBvEHARJTD3d/N6cRGVDtO2pnOBjpFMghIQEYAQAMFHgACAoBkfr8qQAABQERDwBhADAA"
        "LgB0AHgAdAAAABQKAQCwHWm2rnvdARUGAQAggICBAAAAFwYgAQlrAAcLAQABISEBGAxnAAA="
    ),
    "names encrypted": (
        "N3q8ryccAAQRQfylkAAAAAAAAAAoAAAAAAAAAEOnxwKjLX+eC7E58faqToSD8WZYCUtcIGfHyvmvrPsvkHuKnVwkl+gE"
        "NEc1KxImHIZOwwNU/SDf+Jc5L3uDUZKCR72M+QvW3RkyZLVjH2VXeMgcLNN9wn0ecGeIFndCaz2/9T+Be8NORklZ4fJX"
        "DjwB2dc9XWiERE7sY2onUFO00w39jQjJWm5Moha2fvy+gCPgHNsXBiABCXAABwsBAAEkBvEHARJTDxHLokn4maEiWQQ3"
        "TC7TnUMMZwAA"
    ),
}
GIT = {
    **{
        f"GIT_{who}_{what}": "x@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "PATH": os.environ["PATH"],
}


@pytest.fixture
def repository(tmp_path):
    """Return a function that runs git in a fresh repository."""
    folder = tmp_path / "repository"

    def git(*arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=GIT, capture_output=True, check=True
        )
        return done.stdout

    folder.mkdir()
    git("init", "-q", "-b", "main")
    git.folder = folder
    return git


@pytest.fixture
def bundle(repository):
    """Commit these files and return the bundle of the repository."""

    def make(files):
        for name, content in files.items():
            path = repository.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        repository("add", "-A")
        repository("commit", "-q", "-m", "x")
        return repository("bundle", "create", "-q", "-", "--all")

    return make


def codes(inspection):
    return [finding.code for finding in inventory_findings(inspection)]


def test_manifest_names_contents_as_git_does(inspect, make_part, repository, bundle):
    data = bundle({"a/b.txt": "hello\n", "c": "", "a.txt": "x"})
    seen = inspect(make_part("source", data, media="git-bundle"))
    listing = repository("ls-tree", "-r", "HEAD").decode().splitlines()
    expected = {row.split("\t")[1]: "swh:1:cnt:" + row.split()[2] for row in listing}
    assert {entry.path: entry.swhid for entry in seen.entries} == expected
    assert (
        seen.parts[0].root_swhid
        == "swh:1:dir:" + repository("rev-parse", "HEAD^{tree}").decode().strip()
    )


def test_commit_and_its_time_are_told(inspect, make_part, repository, bundle):
    data = bundle({"c": "1"})
    seen = inspect(make_part("source", data, media="git-bundle"))
    assert seen.parts[0].commit == repository("rev-parse", "HEAD").decode().strip()
    assert seen.newest_mtime == 1_700_000_000


def test_deposited_commit_is_checked_out_not_the_newest(
    inspect, make_part, repository, bundle, workspace
):
    bundle({"v": "1"})
    first = repository("rev-parse", "HEAD").decode().strip()
    data = bundle({"v": "2"})
    inspect(make_part("source", data, media="git-bundle", commit=first))
    assert (workspace / "src/v").read_text() == "1"


def test_commit_that_is_not_in_the_bundle_is_a_finding(inspect, make_part, bundle):
    data = bundle({"v": "1"})
    seen = inspect(make_part("source", data, media="git-bundle", commit="0" * 40))
    assert "E-UNPACK-UNREADABLE" in codes(seen)


def test_every_file_gets_the_time_of_the_source(inspect, make_part, bundle, workspace):
    inspect(make_part("source", bundle({"a": "1", "b/c": "2"}), media="git-bundle"))
    times = {path.stat().st_mtime for path in (workspace / "src/a", workspace / "src/b/c")}
    assert times == {1_700_000_000}


def test_single_folder_of_an_archive_becomes_the_root(inspect_tree, workspace):
    seen = inspect_tree({"p-1.0/setup.py": "", "p-1.0/p.py": "x"})
    assert sorted(entry.path for entry in seen.entries) == ["p.py", "setup.py"]
    assert (workspace / "src/setup.py").exists()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_tar_is_opened(inspect, make_part, make_tar, pack):
    seen = inspect(make_part("source", pack(make_tar({"Makefile": "all:", "b": "1"}))))
    assert {entry.path for entry in seen.entries} == {"Makefile", "b"}


def test_zip_is_opened_with_modes_and_links(inspect, make_part, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(_zip_name("run.sh", 0o100755), "#!/bin/sh\n")
        archive.writestr(_zip_name("link", 0o120777), "run.sh")
        archive.writestr("plain", "x")
    seen = inspect(make_part("source", (tmp_path / "x.zip").read_bytes(), media="zip"))
    modes = {entry.path: entry.mode for entry in seen.entries}
    assert modes == {"run.sh": "100755", "link": "120000", "plain": "100644"}


def _zip_name(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def test_large_data_is_looked_at_without_being_stored(inspect, make_tar, workspace):
    data = make_tar({"dump.sql": "x" * 1000})
    seen = inspect(PartInput("dump", "data", "tar", [data], None))
    assert (seen.entries[0].path, seen.entries[0].size_bytes) == ("dump.sql", 1000)
    assert seen.parts[0].place is None
    assert not list((workspace / "parts").iterdir())


def test_credentials_are_counted_and_never_opened(inspect, make_part, make_tar):
    seen = inspect(make_part("keys", make_tar({"password": "x"}), kind="credentials"))
    assert [entry.path for entry in seen.entries] == ["keys"]


def test_several_sources_lie_side_by_side(inspect, make_part, make_tar, workspace):
    parts = [make_part(name, make_tar({"setup.py": "", "x": name})) for name in ("api", "web")]
    seen = inspect(*parts)
    assert {marker.path for marker in seen.markers} == {"api/setup.py", "web/setup.py"}
    assert (workspace / "src/web/x").read_text() == "web"


def test_missing_submodule_is_found(inspect, make_part, repository, bundle):
    bundle({".gitmodules": '[submodule "z"]\n\tpath = lib/z\n\turl = ../z\n', "a": "1"})
    repository("update-index", "--add", "--cacheinfo", "160000," + "1" * 40 + ",lib/z")
    repository("commit", "-q", "-m", "y")
    data = repository("bundle", "create", "-q", "-", "--all")
    seen = inspect(make_part("source", data, media="git-bundle"))
    assert [o.path for o in seen.observations if o.kind == "submodule-missing"] == ["lib/z"]
    assert [e.mode for e in seen.entries if e.path == "lib/z"] == ["160000"]


def test_filled_submodule_of_an_archive_is_none(inspect_tree, kinds):
    modules = '[submodule "z"]\n\tpath = lib/z\n'
    assert not kinds(inspect_tree({".gitmodules": modules, "lib/z/z.c": "x"}))


def test_lfs_pointer_names_its_object(inspect_tree):
    seen = inspect_tree({"model.bin": POINTER, "other": "x"})
    (pointer,) = (o for o in seen.observations if o.kind == "lfs-pointer")
    assert (pointer.path, pointer.facts["size_bytes"]) == ("model.bin", "12345")
    assert "E-INVENTORY-LFS-POINTER" in codes(seen)


@pytest.mark.parametrize(
    "head", [b"age-encryption.org/v1\n", b"-----BEGIN PGP MESSAGE-----\n", b"Salted__x"]
)
def test_encrypted_file_is_a_warning_and_an_encrypted_part_a_failure(
    inspect, make_part, make_tar, head
):
    inside = inspect(make_part("source", make_tar({"a": head, "README": "x"})))
    alone = inspect(make_part("dump", head, kind="data", media="file"))
    assert "E-INVENTORY-ENCRYPTED" in codes(inside)
    assert "E-INVENTORY-ENCRYPTED-PART" in codes(alone)


@pytest.mark.parametrize("name", SEVEN_ZIPS)
def test_encrypted_7z_is_told_from_an_open_one(inspect_tree, name):
    seen = inspect_tree({"a.7z": base64.b64decode(SEVEN_ZIPS[name]), "README": "x"})
    found = [each.path for each in seen.observations if each.kind == "encrypted"]
    assert found == ([] if name == "open" else ["a.7z"])


def test_truncated_files_are_found(inspect_tree):
    random = os.urandom(3000)
    files = {
        "a.gz": gzip.compress(random)[:-20],
        "b.xz": lzma.compress(random)[:-20],
        "ok.gz": gzip.compress(random),
    }
    seen = inspect_tree({**files, "README": "x"})
    assert sorted(o.path for o in seen.observations if o.kind == "truncated") == ["a.gz", "b.xz"]


def test_truncated_dump_fails_as_a_part(inspect, make_part):
    dump = gzip.compress(os.urandom(3000))[:-100]
    seen = inspect(make_part("dump.sql.gz", dump, kind="data", media="file"))
    assert "E-INVENTORY-TRUNCATED-PART" in codes(seen)


def test_names_that_collide_elsewhere_are_found(inspect_tree):
    seen = inspect_tree({"Readme.txt": "1", "README.TXT": "2", "con.txt": "3", "a\u202eb": "4"})
    assert {"name-collision", "name-odd"} <= {o.kind for o in seen.observations}


def test_name_that_is_no_utf8_survives(inspect, make_part, make_tar):
    archive = make_tar({"XXXX": "1", "y": "2"}).replace(b"XXXX", b"\xff\xfe.c", 1)
    # The header's checksum is over its bytes: four X against the new name.
    difference = sum(b"\xff\xfe.c") - sum(b"XXXX")
    old = int(archive[148:154], 8)
    archive = archive[:148] + b"%06o" % (old + difference) + archive[154:]
    seen = inspect(make_part("source", archive))
    assert "base64://4uYw==" in {entry.path for entry in seen.entries}


def test_recipe_is_read_as_data(inspect_tree):
    seen = inspect_tree({"escrow.toml": "schema = 1\n[product]\nname = 'P'\n", "a": ""})
    assert seen.recipe == {"schema": 1, "product": {"name": "P"}}


def test_broken_recipe_names_its_line(inspect_tree):
    seen = inspect_tree({"escrow.toml": "schema = 1\nname = \n", "a": ""})
    assert seen.recipe is None
    assert "line 2" in seen.recipe_problem


def test_deposited_stores_are_seen(inspect, make_part, make_tar):
    source = make_tar(
        {"deps/pypi/Flask_Login-1.0-py3-none-any.whl": "x", "deps/npm/_cacache/i": "", "a": ""}
    )
    deps = make_tar({"pypi/wheel-0.40.tar.gz": "x"})
    seen = inspect(make_part("source", source), make_part("deps", deps, kind="artifacts"))
    stores = {
        o.path: o.facts.get("names") for o in seen.observations if o.kind.startswith("store-")
    }
    assert stores == {
        "src/deps/pypi": "flask-login",
        "parts/deps/pypi": "wheel",
        "src/deps/npm": None,
    }


def test_program_runs_on_its_own(tmp_path, make_part, make_tar):
    order = {"mode": "inspect", "room_bytes": 1 << 20}
    sent = b"".join(frames(order, [make_part("source", make_tar({"a": "1", "b": "2"}))]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "builders.inspector", str(tmp_path / "ws")],
        input=sent,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert len(parse_inspection(done.stdout).entries) == 2


def test_inspector_imports_the_standard_library_only():
    lines = [
        line
        for path in (ROOT / "builders/inspector").glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]
    roots = {line.split()[1].partition(".")[0] for line in lines}
    assert roots <= {*sys.stdlib_module_names, "builders"}
    assert all("builders." not in line or "builders.inspector" in line for line in lines)


def test_deposit_without_files_has_no_source(inspect, make_part, make_tar):
    assert "E-UNPACK-NO-SOURCE" in codes(inspect(make_part("source", make_tar({}))))


def test_document_is_json_of_ascii(tmp_path, make_part, make_tar, inspect):
    seen = inspect(
        make_part(
            "source", make_tar({"ü.txt": "1", "package.json": json.dumps({"name": "\ud800"})})
        )
    )
    assert "ü.txt" in {entry.path for entry in seen.entries}
    (marker,) = seen.markers
    assert marker.parsed["name"].encode("utf-8")
