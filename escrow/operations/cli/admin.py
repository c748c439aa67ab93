"""``escrow admin``: set an installation up; organisations, members and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from escrow.operations.cli import remote
from escrow.operations.cli.output import EXIT_DOES_NOT, give, give_table, say

if TYPE_CHECKING:
    from escrow.vault.storage.scrubbing import ScrubCounts

app = typer.Typer(
    help="Set an installation up; organisations, members, tokens.", no_args_is_help=True
)


@app.command("init")
def init(
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Another one-time token, the first being lost.")
    ] = False,
) -> None:
    """Make the database and the keys, and print a one-time token for the first administrator.

    Example: escrow admin init
    """
    from escrow.operations.installation import initialise
    from escrow.operations.settings_source import settings

    done = initialise(settings(), new_token=new_token)
    document = {
        "home": str(done.home),
        "trust_root_fingerprint": done.fingerprint,
        "one_time_token": done.one_time_token,
    }
    give(document)
    if done.one_time_token is None:
        say("Already set up. 'escrow admin init --new-token' prints another one-time token.")
    else:
        say("Start the service with 'escrow serve', then 'escrow admin claim'.")


@app.command("migrate")
def migrate() -> None:
    """Bring the database to this version; for processes that run apart, before they start.

    Example: ESCROW_DATABASE_URL=postgresql+psycopg://owner@database/escrow escrow admin migrate
    """
    from escrow.operations.installation import migrate as bring_up
    from escrow.operations.settings_source import settings

    bring_up(settings())
    give({"migrated": True}, "The database is of this version.")


@app.command("images")
def images() -> None:
    """Make the builder images that are missing; prints what it does.

    Example: escrow admin images
    """
    from escrow.operations.images import make_images
    from escrow.operations.settings_source import settings

    give({"images": make_images(settings(), say)}, "Builder images are ready.")


@app.command("scrub")
def scrub() -> None:
    """Read both copies of everything sealed now, mend what can be mended; where the worker runs.

    Exits 1 when something is damaged and cannot be mended. One that was broken off goes on where
    it was.

    Example: escrow admin scrub
    """
    from escrow.operations.storing.looking import scrub_now

    def tell(counts: ScrubCounts, size_bytes: int) -> None:
        say(f"{counts.bytes} bytes read; one copy of everything has {size_bytes}.")

    document, sentence = scrub_now(tell)
    give(document, sentence)
    if document["unrepairable"]:
        raise typer.Exit(EXIT_DOES_NOT)


@app.command("storage")
def storage() -> None:
    """Tell what lacks a second copy, what is damaged, and when all was read last.

    Exits 1 when something is damaged and cannot be mended.

    Example: escrow admin storage
    """
    from escrow.operations.storing.looking import look

    document, sentence = look()
    give(document, sentence)
    if document["damaged"]:
        raise typer.Exit(EXIT_DOES_NOT)


@app.command("timestamps")
def timestamps() -> None:
    """Tell how many papers wait for their timestamp, and since when; where the worker runs.

    Exits 1 when one has waited for longer than a day, though the trust root names an authority.

    Example: escrow admin timestamps
    """
    from escrow.operations.waiting import look

    document, sentence = look()
    give(document, sentence)
    if document["overdue"]:
        raise typer.Exit(EXIT_DOES_NOT)


@app.command("claim")
def claim(
    name: Annotated[str, typer.Option(help="Your name.")],
    email: Annotated[str, typer.Option(help="Your address.")],
    one_time_token: Annotated[
        str, typer.Option(envvar="ESCROW_ONE_TIME_TOKEN", help="What 'admin init' printed.")
    ],
) -> None:
    """Exchange the one-time token for the first administrator's token (printed once).

    Example: ESCROW_ONE_TIME_TOKEN=… escrow admin claim --name Ada --email ada@example.org
    """
    body = {"one_time_token": one_time_token, "name": name, "email": email}
    document = remote.call("POST", "/setup", json=body, authenticated=False).json()
    give(document)


@app.command("organisation")
def organisation(
    slug: Annotated[str, typer.Argument(help="Short name, as it stands in addresses.")],
    name: Annotated[str, typer.Option(help="Full name.")] = "",
) -> None:
    """Register an organisation.

    Example: escrow admin organisation acme --name "Acme Ltd"
    """
    body = {"slug": slug, "name": name or slug}
    give(remote.call("POST", "/organisations", json=body).json(), f"Registered {slug}.")


@app.command("organisations")
def organisations() -> None:
    """List the organisations.

    Example: escrow admin organisations
    """
    items = remote.call("GET", "/organisations").json()["items"]
    give_table(items, ("slug", "name", "id"), "No organisations yet.")


@app.command("member")
def member(
    organisation: Annotated[str, typer.Argument(help="The organisation's short name.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    email: Annotated[str, typer.Option(help="The person's address.")],
    role: Annotated[str, typer.Option(help="operator, vendor, beneficiary, agent or auditor.")],
    signing_key: Annotated[str | None, typer.Option(help="ed25519:…, the person's own.")] = None,
    age_recipient: Annotated[str | None, typer.Option(help="age1…, the person's own.")] = None,
) -> None:
    """Register a person, with his public keys.

    Example: escrow admin member acme --name Ada --email ada@acme.example --role vendor
    """
    body = {
        "name": name,
        "email": email,
        "role": role,
        "signing_key": signing_key,
        "age_recipient": age_recipient,
    }
    path = f"/organisations/{remote.id_path(organisation)}/members"
    document = remote.call("POST", path, json=body).json()
    give(document, f"Registered {name} as {document['id']}.")


@app.command("key")
def key(
    member: Annotated[str, typer.Argument(help="The person's id.")],
    signing_key: Annotated[str | None, typer.Option(help="ed25519:…, the person's own.")] = None,
    age_recipient: Annotated[str | None, typer.Option(help="age1…, the person's own.")] = None,
) -> None:
    """Register a person's public keys, as 'escrow keys show' prints them.

    Example: escrow admin key mem_01kb… --signing-key ed25519:…
    """
    body = {"signing_key": signing_key, "age_recipient": age_recipient}
    document = remote.call("POST", f"/members/{remote.id_path(member)}/keys", json=body).json()
    give(document, f"Registered {len(document['keys'])} keys of {member}.")


@app.command("token")
def token(
    organisation: Annotated[str, typer.Argument(help="The organisation's short name.")],
    role: Annotated[str, typer.Option(help="vendor, beneficiary, agent, auditor or operator.")],
    member: Annotated[str | None, typer.Option(help="The person it is for, by id.")] = None,
    product: Annotated[list[str] | None, typer.Option(help="Only this vendor/product.")] = None,
    agreement: Annotated[list[str] | None, typer.Option(help="Only this agreement.")] = None,
    verb: Annotated[list[str] | None, typer.Option(help="Only this verb, e.g. deposit.")] = None,
    days: Annotated[int, typer.Option(help="How long it holds, at most 365.")] = 90,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Issue a token, scoped and expiring; it is printed once and stored only as a hash.

    Example: escrow admin token acme --role vendor --product acme/ledger --verb deposit
    """
    body = {
        "organisation": organisation,
        "role": role,
        "member_id": member,
        "products": product,
        "agreements": agreement,
        "verbs": verb,
        "expires_in_days": days,
        "label": label,
    }
    give(remote.call("POST", "/tokens", json=body).json())


@app.command("tokens")
def tokens() -> None:
    """List the tokens with their scopes and when they were last used.

    Example: escrow admin tokens
    """
    items = remote.call("GET", "/tokens").json()["items"]
    columns = ("id", "label", "organisation", "role", "expires_at", "last_used_at", "revoked_at")
    give_table(items, columns, "No tokens yet.")


@app.command("notices")
def notices(
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that are not tried any more.")
    ] = False,
    retry: Annotated[
        str | None, typer.Option(help="Put this one, which failed, back into the outbox.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Only those older than this one.")] = None,
) -> None:
    """List the notices to the parties, newest first, and how far each got.

    Example: escrow admin notices --failed
    """
    if retry is not None:
        document = remote.call("POST", f"/notices/{remote.id_path(retry)}/retry").json()
        give(document, f"{retry} is sent again.")
        return
    asked = {"failed": "true"} if failed else {}
    asked |= {"before": before} if before else {}
    page = remote.call("GET", "/notices", parameters=asked).json()
    columns = ("id", "state", "kind", "reader", "address", "attempts", "answer", "posted_at")
    give_table(page["items"], columns, "No notices.")
    if page["next"]:
        say(f"There are older ones: --before {page['next']}")


@app.command("erase")
def erase(member: Annotated[str, typer.Argument(help="The person's id, mem_….")]) -> None:
    """End a membership and erase the person's name and address; a hold outranks it.

    The ledger holds no more than salted commitments to them; value and salt go together. The texts
    of agreements and public keys stay. Run again it changes nothing.

    Example: escrow admin erase mem_01kb…
    """
    document = remote.call("POST", f"/members/{remote.id_path(member)}/erasure").json()
    give(document, f"Erased {document['erased']}, and {document['notices']} addresses of notices.")


@app.command("retention")
def retention(
    product: Annotated[str, typer.Argument(help="VENDOR/PRODUCT.")],
) -> None:
    """List the deposits that retention drops at its next run; drops nothing itself (a dry run).

    Example: escrow admin retention acme/ledger
    """
    path = f"/products/{remote.product_path(product)}/retention"
    items = remote.call("GET", path).json()["items"]
    give_table(items, ("deposit_id",), "Retention drops nothing.")


@app.command("revoke")
def revoke(token_id: Annotated[str, typer.Argument(help="The token's id.")]) -> None:
    """Revoke a token, at once.

    Example: escrow admin revoke tok_01kb…
    """
    remote.call("DELETE", f"/tokens/{remote.id_path(token_id)}")
    give({"revoked": token_id}, f"Revoked {token_id}.")
