"""``escrow deposit``: hand materials over, streamed and resumable.

``send`` does all of it in one go; ``begin``, ``add`` and ``finish`` are the same in steps. Source
is best pushed with git; a directory given here is bundled (a git work tree) or packed as tar.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from escrow.ground.errors import EscrowError, InvalidInput
from escrow.operations.cli import remote
from escrow.operations.cli.agreement import KeyOption, SecondOption
from escrow.operations.cli.client_sealed import ClientSealedOption, EpochOption, sealing_key
from escrow.operations.cli.material import (
    Material,
    Seal,
    check_material,
    left_behind,
    material_of,
    sealed_material,
)
from escrow.operations.cli.output import (
    EXIT_COULD_NOT_TELL,
    complain,
    give,
    give_table,
    say,
)
from escrow.operations.cli.upload import send_material

app = typer.Typer(help="Hand materials over.", no_args_is_help=True)
app.command("sealing-key")(sealing_key)

ProductArgument = Annotated[str, typer.Argument(help="vendor/product")]
_Paths = list[Path] | None


class NothingNamed(InvalidInput):
    """A deposit of nothing was asked for."""

    code = "cli.nothing-named"


class RepositoryNotSaid(InvalidInput):
    """A product has several repositories, and the source could stand for any of them."""

    code = "cli.repository-not-said"


@app.command("send")
def send(
    product: ProductArgument,
    source: Annotated[Path | None, typer.Option(help="A git work tree, folder or archive.")] = None,
    data: Annotated[_Paths, typer.Option(help="A data dump (file or folder).")] = None,
    docs: Annotated[_Paths, typer.Option(help="Documents (file or folder).")] = None,
    artifacts: Annotated[_Paths, typer.Option(help="What is shipped.")] = None,
    repository: Annotated[
        str | None, typer.Option(help="Which repository the source is, where there are several.")
    ] = None,
) -> None:
    """Deposit materials in one go: begin, upload each, finish, receipt.

    Example: escrow deposit send acme/ledger --source . --data dump.sql --docs manual/
    """
    wanted = [("source", source)] if source else []
    for kind, paths in (("data", data), ("docs", docs), ("artifacts", artifacts)):
        wanted += [(kind, path) for path in paths or ()]
    if not wanted:
        raise NothingNamed(
            "Nothing was named that is to be deposited.",
            "Name at least one of --source, --data, --docs and --artifacts.",
        )
    for kind, path in wanted:
        check_material(kind, path)
    source_name = _source_name(product, repository) if source else ""
    if source and (behind := left_behind(source)):
        complain(behind)
    draft = _begun(product)["id"]
    try:
        for kind, path in wanted:
            with material_of(kind, path) as material:
                named = replace(material, name=source_name) if kind == "source" else material
                send_material(draft, named)
    except (EscrowError, KeyboardInterrupt):
        complain(
            f"The draft {draft} stays open: go on with 'escrow deposit add {draft} …' and "
            f"'escrow deposit finish {draft}', or drop it with 'escrow deposit abandon {draft}'."
        )
        raise
    try:
        _finish(draft)
    except (EscrowError, KeyboardInterrupt):
        complain(
            f"Everything is uploaded to the draft {draft}: 'escrow deposit finish {draft}' seals "
            "it, and may be run again; however often, it is one deposit."
        )
        raise


@app.command("begin")
def begin(product: ProductArgument) -> None:
    """Open a draft that gathers parts; it gets its number when it is finished.

    Example: escrow deposit begin acme/ledger
    """
    document = _begun(product)
    give(document, document["id"])


@app.command("add")
def add(
    deposit: Annotated[str, typer.Argument(help="The draft's id.")],
    path: Annotated[Path, typer.Argument(help="File or folder.")],
    kind: Annotated[str, typer.Option(help="source, data, docs, artifacts, …")] = "data",
    name: Annotated[str | None, typer.Option(help="The part's name; default: the file's.")] = None,
    client_sealed: ClientSealedOption = None,
    epoch: EpochOption = None,
) -> None:
    """Upload one part; run it again after an interruption and it goes on where it stopped.

    A file that you sealed yourself ('escrow deposit sealing-key') is named with --client-sealed and
    the agreement; it is received and stored, and nobody can verify it.

    Example: escrow deposit add dep_01kb… dump.sql --kind data
    """
    if client_sealed is not None:
        material = sealed_material(kind, path, Seal(client_sealed, epoch))
        give(send_material(deposit, _named(material, name)))
        complain("Received, not verifiable: no level above 'received' is tested of it.")
        return
    with material_of(kind, path) as material:
        give(send_material(deposit, _named(material, name)))


@app.command("finish")
def finish(deposit: Annotated[str, typer.Argument(help="The draft's id.")]) -> None:
    """Seal the draft: it gets its number, a receipt, and is verified without anyone asking.

    It may be run again, and is the same deposit; it ends with 2 while the receipt has to wait.

    Example: escrow deposit finish dep_01kb…
    """
    _finish(deposit)


@app.command("abandon")
def abandon(deposit: Annotated[str, typer.Argument(help="The draft's id.")]) -> None:
    """Drop a draft and what was uploaded to it.

    Example: escrow deposit abandon dep_01kb…
    """
    remote.call("DELETE", f"/deposits/{remote.id_path(deposit)}")
    give({"abandoned": deposit}, f"Dropped {deposit}.")


@app.command("withdraw")
def withdraw(
    deposit: Annotated[str, typer.Argument(help="The deposit's id, dep_….")],
    agreement: Annotated[str, typer.Option(help="An agreement that it serves.")],
    key: KeyOption,
    reason: Annotated[
        str, typer.Option(help="secret, personal-data, rights or mistake.")
    ] = "secret",
    second: SecondOption = None,
) -> None:
    """Withdraw a deposit that should not be there (the vendor's act): quarantined, then shredded.

    Example: escrow deposit withdraw dep_01kb… --agreement agr_01kb… --key ada.pem
    """
    from escrow.operations.cli.endings import begin

    own = {"deposit_id": deposit, "reason": reason}
    begin(agreement, "withdrawal", "withdraw-deposit", key, own=own, second=second)


@app.command("list")
def list_deposits(product: ProductArgument) -> None:
    """List a product's deposits, newest first.

    Example: escrow deposit list acme/ledger
    """
    path = f"/products/{remote.product_path(product)}/deposits"
    items = remote.call("GET", path).json()["items"]
    columns = ("number", "state", "verdict", "level", "sealed_at", "id")
    give_table(items, columns, "No deposits yet.")


def _source_name(product: str, repository: str | None) -> str:
    """Return the repository that a source stands for; its part is named as a push would name it.

    Under a name of its own it would not replace what was pushed, but lie beside it in every later
    deposit.

    Raises:
        RepositoryNotSaid: there are several, or none of this name.
    """
    document = remote.call("GET", f"/products/{remote.product_path(product)}").json()
    known = [url.rpartition("/")[2].removesuffix(".git") for url in document["push_urls"]]
    if repository is None and len(known) == 1:
        return str(known[0])
    if repository in known:
        return str(repository)
    raise RepositoryNotSaid(
        f"The product has the repositories {', '.join(known)}; the source is to be one of them.",
        "Name it with --repository; nothing was sent.",
    )


def _named(material: Material, name: str | None) -> Material:
    return material if name is None else replace(material, name=name)


def _begun(product: str) -> dict[str, str]:
    path = f"/products/{remote.product_path(product)}/deposits"
    document: dict[str, str] = remote.call("POST", path).json()
    return document


def _finish(deposit: str) -> None:
    document = remote.call("POST", f"/deposits/{remote.id_path(deposit)}/finish").json()
    if document["receipt"] == "pending":
        give(document, document["because"])
        say(f"{document['remedy']} It is complete when 'escrow receipt {deposit}' gives it.")
        # A script must not take a deposit for acknowledged that has no receipt yet.
        raise typer.Exit(EXIT_COULD_NOT_TELL)
    give(document, f"Deposit {document['number']} is sealed and logged ({document['id']}).")
    say(f"Follow its verification: escrow status {document['id']}; escrow logs -f {document['id']}")
