"""``escrow product``: what a vendor owes, and where it is pushed to."""

from __future__ import annotations

from typing import Annotated

import typer

from escrow.ground.errors import InvalidInput
from escrow.operations.cli import remote
from escrow.operations.cli.output import give, give_table

app = typer.Typer(help="Register and show products.", no_args_is_help=True)

_MATERIAL_HELP = "KIND[:NAME][=MAX-AGE-DAYS] that the vendor owes, e.g. docs or data:dump=30."


class BadOwedMaterial(InvalidInput):
    """What is said to be owed is not in the form of an owed material."""

    code = "cli.bad-owed-material"


def material(text: str) -> dict[str, object]:
    """Return the owed material that ``KIND[:NAME][=DAYS]`` names.

    Raises:
        BadOwedMaterial: the days are no number.
    """
    what, has_days, days = text.partition("=")
    if has_days and not (days.isascii() and days.isdigit()):
        raise BadOwedMaterial(
            f"{text!r} names no number of days.", "Write KIND[:NAME][=DAYS], e.g. data:dump=30."
        )
    kind, _, name = what.partition(":")
    return {
        "kind": kind,
        "name": name or None,
        "required": True,
        "max_age_days": int(days) if days else None,
    }


@app.command("register")
def register(
    product: Annotated[str, typer.Argument(help="vendor/product")],
    name: Annotated[str, typer.Option(help="The product's name as people say it.")] = "",
    repository: Annotated[list[str] | None, typer.Option(help="A git repository of it.")] = None,
    ref: Annotated[
        list[str] | None, typer.Option(help="A ref that counts, e.g. refs/heads/main.")
    ] = None,
    owes: Annotated[list[str] | None, typer.Option(help=_MATERIAL_HELP)] = None,
    history: Annotated[str, typer.Option(help="full, or snapshot (depth-1 deposits).")] = "full",
) -> None:
    """Register a product with its repositories, the refs that count and the materials it owes.

    Example: escrow product register acme/ledger --repository server --ref refs/heads/main
    """
    remote.product_path(product)
    vendor, _, slug = product.partition("/")
    body = {
        "vendor": vendor,
        "slug": slug,
        "name": name or slug,
        "history": history,
        "repositories": repository or ["source"],
        "refs": ref or ["refs/heads/main", "refs/heads/master", "refs/tags/*"],
        "materials": [material(text) for text in owes or ["source"]],
    }
    document = remote.call("POST", "/products", json=body).json()
    give(document, f"Registered {product}. Push to: {', '.join(document['push_urls'])}")


@app.command("list")
def list_products() -> None:
    """List the products that you can see.

    Example: escrow product list
    """
    items = remote.call("GET", "/products").json()["items"]
    give_table(items, ("product", "name", "history"), "No products yet.")


@app.command("show")
def show(product: Annotated[str, typer.Argument(help="vendor/product")]) -> None:
    """Show a product's repositories, refs and owed materials.

    Example: escrow product show acme/ledger
    """
    give(remote.call("GET", f"/products/{remote.product_path(product)}").json())
