"""``escrow agreement recipient``: which keys releases are sealed to, and how one is changed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from escrow.operations.cli import keys, remote
from escrow.operations.cli.agreement import BadAgreementFile, KeyOption, send_act
from escrow.operations.cli.output import complain, give, give_table, say, wants_json

app = typer.Typer(help="See and change the keys that releases are sealed to.", no_args_is_help=True)

AgreementArgument = Annotated[str, typer.Argument(help="The agreement's id.")]
ChangeArgument = Annotated[str, typer.Argument(help="The change's id, as 'show' prints it.")]


@app.command("show")
def show(agreement: AgreementArgument) -> None:
    """Show the recipients that count now, and every change of one.

    Example: escrow agreement recipient show agr_01kb…
    """
    document = remote.call("GET", f"{_path(agreement)}/recipients").json()
    if wants_json():
        give(document)
        return
    give_table(document["recipients"], ("organisation", "kind", "sha256"), "No recipients.")
    columns = ("id", "organisation", "kind", "standing", "counts_from", "sha256")
    if document["changes"]:
        say("")
        give_table(document["changes"], columns, "")


@app.command("change")
def change(
    agreement: AgreementArgument,
    recipient: Annotated[str, typer.Option("--to", help="The new age key, age1….")],
    key: KeyOption,
    kind: Annotated[Literal["primary", "recovery"], typer.Option(help="Which.")] = "primary",
) -> None:
    """Propose another key for a recipient (an act of a beneficiary's person who signs alone).

    Everybody is told. It counts after you have proven it and 30 days have passed; until then the
    old one does. A request of yours that is open becomes void.

    Example: escrow agreement recipient change agr_01kb… --to age1… --key bo.pem
    """
    shown = remote.call("GET", _path(agreement)).json()
    version = str(shown["in_force_version"] or shown["version"])
    text = remote.call("GET", f"{_path(agreement)}/text", parameters={"version": version}).text
    from escrow.ground.digests import sha256_hex
    from escrow.register.changes import change_subject

    complain(f"New key      {recipient[:60]}")
    complain(f"             fingerprint {sha256_hex(recipient.encode())}")
    subject = change_subject(agreement, sha256_hex(text.encode()), kind, recipient)
    send_act(agreement, "change-recipient", subject, key)


@app.command("prove")
def prove(
    agreement: AgreementArgument,
    change_id: ChangeArgument,
    key: KeyOption,
    identity: Annotated[Path, typer.Option(help="The new key's identity, NAME.age.")],
) -> None:
    """Prove that the new key opens, by a canary sealed to it; the cooling-off begins.

    Example: escrow agreement recipient prove agr_01kb… 9f2c… --key bo.pem --identity new.age
    """
    from escrow.register.changes import change_proof_subject
    from escrow.vault import age

    opener = keys.read_identity(identity)
    recipient = str(opener.recipient)
    sent = remote.call("GET", f"{_path(agreement)}/recipient-canaries").json()["canaries"]
    mine = [one for one in sent if one["recipient"] == recipient]
    if not mine:
        raise BadAgreementFile(
            f"No change names a recipient that {identity.name} can open.",
            "Give the identity whose public half you proposed.",
        )
    secret = age.decrypt_bytes(base64.b64decode(mine[0]["file"]), [opener])
    subject = change_proof_subject(agreement, change_id, recipient, secret)
    send_act(agreement, "prove-changed-recipient", subject, key)


@app.command("withdraw")
def withdraw(agreement: AgreementArgument, change_id: ChangeArgument, key: KeyOption) -> None:
    """Take a change back before it counts (an act of any person of the beneficiary).

    Example: escrow agreement recipient withdraw agr_01kb… 9f2c… --key bo.pem
    """
    from escrow.register.changes import change_withdrawal_subject

    subject = change_withdrawal_subject(agreement, change_id)
    send_act(agreement, "withdraw-recipient-change", subject, key)


def counting(path: str, organisation: str, kind: str) -> str | None:
    """Return the key that counts for a beneficiary, as the service says.

    The keyholder asks the ledger again: another one that is named here is refused there.
    """
    items: list[dict[str, Any]] = remote.call("GET", f"{path}/recipients").json()["recipients"]
    for one in items:
        if (one["organisation"], one["kind"]) == (organisation, kind):
            return str(one["recipient"])
    return None


def _path(agreement: str) -> str:
    return f"/agreements/{remote.id_path(agreement)}"
