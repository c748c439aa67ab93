"""``escrow check``: is this paper true? Offline, with nothing but the trust root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escrow.ground.errors import Unavailable
from escrow.operations.cli.output import give, wants_json

if TYPE_CHECKING:
    from escrow.evidence.trustroot import TrustRoot

TRUST_ROOT_VARIABLE = "ESCROW_TRUST_ROOT"


class NoTrustRoot(Unavailable):
    """There is no trust root to check against, so nothing can be told."""

    code = "cli.no-trust-root"


class NoDocument(Unavailable):
    """The document to check cannot be read."""

    code = "cli.no-document"


def check(
    documents: Annotated[list[Path], typer.Argument(help="Receipts or reports.")],
    trust_root: Annotated[
        Path | None,
        typer.Option(
            envvar=TRUST_ROOT_VARIABLE,
            help="The trust root that you were given out of band when you accepted.",
        ),
    ] = None,
) -> None:
    """Check receipts and reports offline: signature, ledger entry, inclusion, checkpoint.

    Exit code 0: every one holds; 1: one does not; 2: could not tell.

    Example: escrow check receipt.json --trust-root trust-root.json
    """
    from escrow.evidence.checking import check_document

    root = read_trust_root(trust_root)
    results = []
    for path in documents:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise NoDocument(f"{path} cannot be read.", "Check the path.") from problem
        checked = check_document(text, root)
        results.append({"document": str(path), "holds": True, **checked.facts()})
    if wants_json():
        give(results)
        return
    for result in results:
        give(result)


def read_trust_root(path: Path | None) -> TrustRoot:
    """Return the trust root of a file, or of the usual place.

    Raises:
        NoTrustRoot: there is none there.
    """
    from escrow.evidence.trustroot import TrustRoot

    usual = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "escrow"
    chosen = path or usual / "trust-root.json"
    try:
        return TrustRoot.from_json(chosen.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise NoTrustRoot(
            f"No trust root can be read at {chosen}.",
            "Give the file that you were handed when you accepted, with --trust-root.",
        ) from problem
