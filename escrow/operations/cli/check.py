"""``escrow check``: is this paper true? Offline, with nothing but the trust root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escrow.ground.errors import Tampered, Unavailable
from escrow.operations.cli import remote
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


class OtherTrustRoot(Tampered):
    """The service states other public keys than those that were kept."""

    code = "cli.other-trust-root"


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


def trust_root(
    save: Annotated[Path, typer.Option(help="Where to keep it.")],
) -> None:
    """Fetch the service's public keys, once, and print their fingerprint.

    Compare the fingerprint with what another party was given, by telephone or on paper: only then
    do the keys prove anything. A file that stands is not overwritten by other keys.

    Example: escrow trust-root --save trust-root.json
    """
    root = fetched_trust_root()
    if save.is_file() and read_trust_root(save).fingerprint() != root.fingerprint():
        raise OtherTrustRoot(
            f"The service now names other keys than those in {save}.",
            "Trust neither before you have compared the fingerprints with another party.",
        )
    save.write_text(root.to_json(), encoding="utf-8")
    document = {"saved": str(save), "fingerprint": root.fingerprint()}
    give(document, f"Saved {save}. Compare its fingerprint: {root.fingerprint()}")


def fetched_trust_root() -> TrustRoot:
    """Return the trust root as the service states it; believed only once it is compared.

    Raises:
        NotOurService: what answers states none.
    """
    from escrow.evidence.errors import TrustRootMalformed
    from escrow.evidence.trustroot import TrustRoot

    answer = remote.call("GET", "/trust-root", authenticated=False)
    try:
        return TrustRoot.from_json(answer.text)
    except TrustRootMalformed:
        raise remote.NotOurService("it states no trust root") from None


def read_trust_root(path: Path | None) -> TrustRoot:
    """Return the trust root of a file, or of the usual place.

    Raises:
        NoTrustRoot: there is none there.
    """
    from escrow.evidence.errors import TrustRootMalformed
    from escrow.evidence.trustroot import TrustRoot

    usual = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "escrow"
    chosen = path or usual / "trust-root.json"
    try:
        return TrustRoot.from_json(chosen.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise NoTrustRoot(
            f"No trust root can be read at {chosen}.",
            "Give the file that you were handed when you accepted, with --trust-root; "
            "'escrow trust-root' fetches it.",
        ) from problem
    except TrustRootMalformed as problem:
        # Not the document is wrong, but what it would be checked with.
        raise NoTrustRoot(f"{chosen} is no trust root.", problem.remedy) from problem
