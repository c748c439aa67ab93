"""One door to each heavy library: nobody else in the product imports it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Library to the places that may import it: a file, or a beginning of its name.
DOORS = {
    "cryptography": (
        "escrow/vault/age",
        "escrow/vault/keys",
        "escrow/ground/signatures.py",
        "escrow/ground/certificates.py",
    ),
    "sqlmodel": ("escrow/ground/database.py", "records.py"),
    "sqlalchemy": (
        "escrow/ground/database.py",
        "records.py",
        "escrow/operations/migrations/",
    ),
    # The second is the client's side: the person's own repository on the person's own machine.
    "git": ("escrow/deposits/git", "escrow/operations/cli/material.py"),
    "dbos": ("escrow/engine/",),
    "docker": ("builders/sandbox",),
    "fastapi": ("escrow/portal/",),
    # Tokens: the keyholder's keys and a person's own are used through the same door.
    "pkcs11": ("escrow/ground/pkcs11_tokens.py",),
    "hvac": ("escrow/vault/keys_transit.py",),
    "smtplib": ("escrow/notices/smtp.py",),
    "boto3": ("escrow/vault/storage/s3_wire.py",),
    "botocore": ("escrow/vault/storage/s3_wire.py",),
    "obstore": ("escrow/vault/storage/s3",),
    "alembic": ("escrow/operations/tables.py", "escrow/operations/migrations/"),
}


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _sources() -> list[Path]:
    packages = ("escrow", "builders", "agreements")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return [path for path in files if "testing" not in path.parts]


@pytest.mark.parametrize("library", DOORS)
def test_only_the_door_imports(library: str) -> None:
    users = [str(p.relative_to(ROOT)) for p in _sources() if library in _imports(p)]
    strangers = [
        user
        for user in users
        if not any(user.startswith(door) or user.endswith("/" + door) for door in DOORS[library])
    ]
    assert strangers == []
