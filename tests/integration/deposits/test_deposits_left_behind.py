"""What a work tree holds and its bundle does not: the person is told before anything is sent."""

import subprocess

import pytest

from escrow.operations.cli.material import left_behind


@pytest.fixture
def tree(tmp_path):
    """Return a function: files, committed or not → a work tree."""

    def make(committed, loose=()):
        git = ("git", "-C", str(tmp_path), "-c", "user.name=V", "-c", "user.email=v@acme.example")
        subprocess.run([*git, "init", "-q"], check=True)
        for name, text in committed.items():
            (tmp_path / name).write_text(text)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
        for name in loose:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
        return tmp_path

    return make


def test_a_clean_work_tree_leaves_nothing_behind(tree):
    assert left_behind(tree({"a": "1"})) is None


def test_dependencies_that_git_ignores_are_named(tree):
    folder = tree({".gitignore": "*.whl\n"}, loose=["deps/pypi/a-1-py3-none-any.whl"])
    assert "deps/" in left_behind(folder)


def test_a_change_that_is_not_committed_is_named(tree):
    folder = tree({"a file": "1"})
    (folder / "a file").write_text("2")
    assert "a file" in left_behind(folder)


def test_a_submodule_is_named(tree):
    folder = tree({"a": "1"})
    link = ["update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib"]
    subprocess.run(["git", "-C", str(folder), *link], check=True)
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=V", "-c", "user.email=v@a", "commit", "-qmx"],
        check=True,
    )
    (folder / "vendor" / "lib").mkdir(parents=True)
    assert "vendor/lib" in left_behind(folder)


def test_an_archive_leaves_nothing_behind(tmp_path):
    (tmp_path / "source.tar").write_bytes(b"x")
    assert left_behind(tmp_path / "source.tar") is None
