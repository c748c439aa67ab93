"""``escrow check``: is this paper true? Offline, with nothing but the trust root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agreements.errors import AgreementError
from escrow.ground.errors import EscrowError, Tampered, Unavailable
from escrow.operations.cli import remote
from escrow.operations.cli.output import EXIT_COULD_NOT_TELL, exit_code_of, give, wants_json
from escrow.operations.cli.sealed_files import check_sealed_file

if TYPE_CHECKING:
    from escrow.evidence.checking import CheckedDocument
    from escrow.evidence.snapshots import Agents
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
    documents: Annotated[list[Path], typer.Argument(help="Receipts, reports, certificates, …")],
    trust_root: Annotated[
        Path | None,
        typer.Option(
            envvar=TRUST_ROOT_VARIABLE,
            help="The trust root that you were given out of band when you accepted.",
        ),
    ] = None,
    agreement: Annotated[
        list[Path] | None,
        typer.Option(help="An agreement's text: its agents have to vouch for the keys."),
    ] = None,
    sealed: Annotated[
        list[Path] | None,
        typer.Option(help="An age file that you deposited: the receipt has to be of exactly it."),
    ] = None,
) -> None:
    """Check signed documents offline: signature, role, ledger, witnesses, timestamp, agents.

    Statements beside a document are checked with it, and a second worker's report with the first
    one's where both are given. What nobody could tell is said.
    Exit code 1: one does not hold, whatever the others; 2: of one nobody could tell, and none
    fails; 0: every one holds.

    Example: escrow check receipt.json report.json --trust-root trust-root.json
    """
    agents = [_agents_of(path) for path in agreement or ()]
    root = None if agents and trust_root is None else read_trust_root(trust_root)
    results, failed = _answers(documents, root, agents, sealed or [])
    if len(documents) == 1 and failed:
        raise failed[0]
    if wants_json():
        give(results)
    else:
        for result in results:
            give(result)
    if failed:
        # One that does not hold outweighs those that nobody could tell of.
        raise typer.Exit(min(exit_code_of(one) for one in failed))


def _answers(
    paths: list[Path], root: TrustRoot | None, agents: list[Agents], sealed: list[Path]
) -> tuple[list[dict[str, object]], list[EscrowError]]:
    """Return what is told of each document, and every problem; first each alone, then together."""
    from escrow.evidence.confirmations import tells_of

    # In the order in which they were named; a path that is named twice is answered twice.
    answers: list[CheckedDocument | EscrowError] = []
    for path in paths:
        try:
            checked = _checked(path, root, agents)
            for file in sealed:
                check_sealed_file(checked.event.event.data, file)
            answers.append(checked)
        except EscrowError as problem:
            answers.append(problem)
    held = [one for one in answers if not isinstance(one, EscrowError)]
    results: list[dict[str, object]] = []
    failed: list[EscrowError] = []
    for path, answer in zip(paths, answers, strict=True):
        try:
            if isinstance(answer, EscrowError):
                raise answer
            told = {**answer.facts(), **tells_of(answer, held)}
            results.append({"document": str(path), "holds": True, **told})
        except EscrowError as problem:
            failed.append(problem)
            holds = None if exit_code_of(problem) == EXIT_COULD_NOT_TELL else False
            said = {"code": problem.code, "reason": problem.reason, "remedy": problem.remedy}
            results.append({"document": str(path), "holds": holds, **said})
    return results, failed


def _checked(path: Path, root: TrustRoot | None, agents: list[Agents]) -> CheckedDocument:
    from escrow.evidence.bundles import MAX_DOCUMENT_CHARS
    from escrow.evidence.checking import check_document
    from escrow.evidence.errors import DocumentMalformed

    try:
        with path.open(encoding="utf-8") as file:
            # No more than shows that it is too long: what was sent may have no end.
            text = file.read(MAX_DOCUMENT_CHARS + 1)
    except UnicodeDecodeError as problem:
        raise DocumentMalformed(f"{path} is no text, so it is no signed document.") from problem
    except IsADirectoryError as problem:
        raise NoDocument(f"{path} is a folder.", "Give the documents in it by name.") from problem
    except OSError as problem:
        raise NoDocument(f"{path} cannot be read.", "Check the path.") from problem
    return check_document(text, root, agents)


def _agents_of(path: Path) -> Agents:
    """Return the agents whom an agreement's text names, and how many of them decide."""
    from agreements.parsing import reread_agreement
    from escrow.evidence.snapshots import Agents
    from escrow.ground.signatures import PublicKey

    try:
        terms = reread_agreement(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, AgreementError) as problem:
        raise NoDocument(f"{path} is no agreement's text.", "Give the text in force.") from problem
    keys = tuple(PublicKey.parse(agent.signing_key) for agent in terms.agents)
    return Agents(keys, terms.sealing.k)


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


def compared_trust_root(path: Path | None) -> TrustRoot:
    """Return the trust root of a file, once the service states the very same public keys.

    Raises:
        NoTrustRoot: there is none there.
        NotOurService: what answers states none.
        OtherTrustRoot: the service states others.
    """
    root = read_trust_root(path)
    if fetched_trust_root().fingerprint() != root.fingerprint():
        raise OtherTrustRoot(
            "The service names other public keys than those in your trust root.",
            "Vouch for neither before you have compared the fingerprints with another party.",
        )
    return root


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
