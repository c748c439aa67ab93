"""Names that a vendor chose for his parts, on their way through the beneficiary's shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from escrow.ground.digests import sha256_hex
from escrow.ground.paths import safe_name
from escrow.operations.cli.package import Package
from escrow.vault import age
from escrow.verification.kits import part_path

NAMES = (
    "it's; touch hacked #",
    '"; touch hacked; "',
    "$(touch hacked)",
    "`touch hacked`",
    "-rf",
    "--help",
    "a\ntouch hacked\n",
    "../../hacked",
    "a b",
    "\x1b[2Jred",
    "&& touch hacked",
    "|touch hacked",
    ">hacked",
    "*",
    "~",
)


def index_of(names: tuple[str, ...]) -> dict:
    """Return a package's index as the service would write it."""
    files = []
    for number, name in enumerate(names):
        path = f"{safe_name('prod')}/deposit-1/{part_path('docs', name)}"
        files.append(
            {
                "id": f"prt_{number}",
                "path": f"{path}.age",
                "opened_path": path,
                "sha256": sha256_hex(name.encode()),
                "size_bytes": len(name.encode()),
                "encoding": "identity",
                "age_size_bytes": 0,
                "media": "file",
                "original": f"docs/{name}",
            }
        )
    deposit = {"deposit_id": "dep_1", "product": "prod", "number": 1, "sealed_at": "2026"}
    deposit |= {"verdict": "pass", "files": files, "images": []}
    head = {"request_id": "req_1", "agreement_id": "agr_1", "bundle": ["docs"]}
    return head | {"deposits": [deposit], "last_verified": ["dep_1"], "certificate": None}


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_name_of_a_part_runs_as_code(tmp_path, shell) -> None:
    index, folder = index_of(NAMES), tmp_path / "release"
    identity = age.X25519Identity(b"k" * 32)
    age.write_identity_file(tmp_path / "identity.txt", identity, None)
    for name, file in zip(NAMES, index["deposits"][0]["files"], strict=True):
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(age.encrypt_bytes(name.encode(), [identity.recipient]))
    Package(index, folder).write_papers(index["deposits"])
    program = shutil.which(shell)
    done = subprocess.run(
        [str(program), "open.sh", str(tmp_path / "identity.txt")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "everything is as it was deposited" in done.stdout
    opened = [one for one in (folder / "opened").rglob("*") if one.is_file()]
    assert sorted(one.read_bytes() for one in opened) == sorted(name.encode() for name in NAMES)
    assert not list(tmp_path.rglob("hacked"))
    assert "\x1b" not in (folder / "README.txt").read_text()


def test_two_names_never_become_one_file() -> None:
    paths = [part_path("docs", name) for name in (*NAMES, "a_b", "a\tb")]
    assert len(set(paths)) == len(paths)
