"""``escrow ceremony``: the agents' keys come to life, each share in its agent's hands only.

The keyholder deals the shares; every agent opens its own share file with its own identity, sends
the *canary's* share on, sealed to the agent who opens, and that agent opens the canary outside
the keyholder. The share of the sealing key never leaves its file.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escrow.ground.errors import InvalidInput
from escrow.operations.cli import keys, remote
from escrow.operations.cli.agreement import KeyOption, send_act
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, compared_trust_root
from escrow.operations.cli.output import give

if TYPE_CHECKING:
    from escrow.vault.ceremony import OpenedShare

app = typer.Typer(help="Deal and prove the agents' key shares.", no_args_is_help=True)

AgreementArgument = Annotated[str, typer.Argument(help="The agreement's id.")]
IdentityOption = Annotated[Path, typer.Option(help="Your age identity, NAME.age.")]


class NoShareForYou(InvalidInput):
    """The agreement holds no share sealed to this identity."""

    code = "cli.no-share"


@app.command("hold")
def hold(agreement: AgreementArgument) -> None:
    """Have the keyholder deal the agreement's sealing key to its agents (an administrator's act).

    Example: escrow ceremony hold agr_01kb…
    """
    document = remote.call("POST", f"/agreements/{remote.id_path(agreement)}/ceremony").json()
    give(document, f"Epoch {document['epoch']} is dealt to {len(document['agents'])} agents.")


@app.command("vouch")
def vouch(
    agreement: AgreementArgument,
    key: KeyOption,
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you compared."),
    ] = None,
) -> None:
    """Vouch for the service's public keys: you compared their fingerprint (an agent's act).

    k agents who vouch let every later paper be checked by the agreement's text alone. After a
    change of keys vouch again; papers from before keep the acts of their time.

    Example: escrow ceremony vouch agr_01kb… --key di.pem --trust-root trust-root.json
    """
    from escrow.evidence.snapshots import VOUCH_ACT, vouch_subject

    root = compared_trust_root(trust_root)
    send_act(agreement, VOUCH_ACT, vouch_subject(remote.id_path(agreement), root.sha256()), key)


@app.command("contribute")
def contribute(
    agreement: AgreementArgument,
    identity: IdentityOption,
    to: Annotated[str, typer.Option(help="The opening agent's age1… recipient.")],
    save_share: Annotated[
        Path | None, typer.Option(help="Also keep your sealed share file here.")
    ] = None,
) -> None:
    """Open your share file and send your share of the canary to the agent who opens it.

    Example: escrow ceremony contribute agr_01kb… --identity cy.age --to age1…
    """
    opener = keys.read_identity(identity)
    if save_share is not None:
        save_share.write_bytes(base64.b64decode(_file_for(dealt_to(agreement), opener)))
    share = send_canary_share(agreement, opener, to)
    give({"index": share.index}, f"Your share ({share.index} of {share.n}) opens; sent on.")


@app.command("open-canary")
def open_canary(agreement: AgreementArgument, identity: IdentityOption, key: KeyOption) -> None:
    """Open the canary from the shares sent to you, and state under your key that it opened.

    Example: escrow ceremony open-canary agr_01kb… --identity di.age --key di.pem
    """
    subject = opened_canary(agreement, keys.read_identity(identity))
    send_act(agreement, "open-canary", subject, key)


def send_canary_share(agreement: str, opener: keys.AgeIdentity, to: str) -> OpenedShare:
    """Open the own share file and send the canary's half on, sealed to whoever opens it."""
    from escrow.vault import age
    from escrow.vault.ceremony import seal_canary_share

    share = _own_share(dealt_to(agreement), opener)
    sealed = seal_canary_share(share, age.parse_recipient(to))
    body = {"recipient": to, "file": base64.b64encode(sealed).decode()}
    remote.call("POST", f"/agreements/{remote.id_path(agreement)}/canary-shares", json=body)
    return share


def opened_canary(agreement: str, opener: keys.AgeIdentity) -> dict[str, object]:
    """Return what an opening states: the canary's secret, and whose shares gave it.

    Raises:
        BadShares, CanaryClosed: too few were sent, or others.
    """
    from escrow.vault.ceremony import combine_canary, open_canary_share

    dealt = dealt_to(agreement)
    own = _own_share(dealt, opener)
    path = f"/agreements/{remote.id_path(agreement)}/canary-shares"
    sent = remote.call("GET", path, parameters={"recipient": str(opener.recipient)}).json()
    shares = {own.index: own.canary_share}
    for item in sent["items"]:
        contributed = open_canary_share(base64.b64decode(item["file"]), opener)
        shares[contributed.index] = contributed.canary_share
    secret = combine_canary(list(shares.values()), base64.b64decode(str(dealt["canary_file"])))
    return {
        "agreement_id": agreement,
        "epoch": dealt["epoch"],
        "contributors": sorted(shares),
        "secret": secret.hex(),
    }


def dealt_to(agreement: str) -> dict[str, object]:
    """Return the asking agent's sealed share file of the newest key, and its canary."""
    document: dict[str, object] = remote.call(
        "GET", f"/agreements/{remote.id_path(agreement)}/shares"
    ).json()
    return document


def _file_for(dealt: dict[str, object], opener: keys.AgeIdentity) -> str:
    for item in dealt["shares"]:  # type: ignore[attr-defined]
        if item["recipient"] == str(opener.recipient):
            return str(item["file"])
    raise NoShareForYou(
        "The agreement holds no share sealed to this identity.",
        "Give the identity whose public half stands in the agreement, and your own token.",
    )


def _own_share(dealt: dict[str, object], opener: keys.AgeIdentity) -> OpenedShare:
    from escrow.vault.ceremony import open_share_file

    return open_share_file(base64.b64decode(_file_for(dealt, opener)), opener)
