"""``escrow deposit sealing-key``: the key that a vendor seals to himself, proven by the ledger.

Nothing that the service says is believed: the recipient counts only when the keyholder's own entry
names it, under the trust root that the vendor was handed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from escrow.operations.cli import remote
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, read_trust_root
from escrow.operations.cli.output import complain, give
from escrow.operations.cli.witnessing import check_witnesses

ClientSealedOption = Annotated[
    str | None,
    typer.Option(
        "--client-sealed",
        help="You sealed the file with age; the agreement (agr_…) to whose key, the only one that "
        "it serves.",
    ),
]
EpochOption = Annotated[
    int | None,
    typer.Option(min=1, help="Of the key, as 'sealing-key' says; an old one is refused at once."),
]


def sealing_key(
    agreement: Annotated[str, typer.Argument(help="The agreement's id, agr_….")],
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The trust root you were handed."),
    ] = None,
) -> None:
    """Print the agreement's current sealing key, checked against the ledger and your trust root.

    Seal with age 1.3 or later: age -R key.txt -o source.tar.age source.tar

    Example: escrow deposit sealing-key agr_01kb… --trust-root trust-root.json > key.txt
    """
    from escrow.custody.sealing_keys import verify_sealing_key
    from escrow.ground.digests import sha256_hex
    from escrow.ground.identifiers import AgreementId

    root = read_trust_root(trust_root)
    sent = remote.call("GET", f"/agreements/{remote.id_path(agreement)}/sealing-key").json()
    key = verify_sealing_key(sent, AgreementId(agreement), root.ledger_keys)
    check_witnesses(root, key.checkpoint)
    fingerprint = sha256_hex(key.recipient.encode())
    complain(f"Epoch {key.epoch} of {agreement}, shares with {key.n} agents, {key.k} open it.")
    complain(f"Fingerprint {fingerprint}; ledger of {key.checkpoint.tree_size} entries.")
    document = {
        "agreement_id": agreement,
        "epoch": key.epoch,
        "k": key.k,
        "n": key.n,
        "recipient": key.recipient,
        "fingerprint": fingerprint,
    }
    give(document, key.recipient)
