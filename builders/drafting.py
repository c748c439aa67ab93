"""Write a draft ``escrow.toml`` for what was recognised, with the reason beside each component.

The draft is what is run where no recipe was deposited, and what the vendor is handed to accept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from builders.commands import Brought, default_commands
from builders.detection import Candidate
from builders.offers import Offer, offer_for
from builders.recipes import ComponentRecipe, LimitsRecipe

_HEAD = """# Drafted from the files of the deposit; correct it, and deposit it with the source.
# Commands run offline, in the component's folder; results go to "$OUT".
schema = 1
"""


def draft_recipe(candidates: Iterable[Candidate], brought: Brought) -> str:
    """Return the text of a recipe for these components; those not offered stand as comments."""
    tables = [
        _left_out(candidate) if offer is None else _component(candidate, offer, brought)
        for candidate in candidates
        for offer in (offer_for(candidate),)
    ]
    return "\n".join((_HEAD, *tables))


def builder_name(offer: Offer) -> str:
    """Return how a recipe names an offer."""
    return f"{offer.ecosystem}@{offer.suite}"


def draft_component(candidate: Candidate, offer: Offer) -> ComponentRecipe:
    """Return a component as a recipe would state it, its commands left to the default."""
    return ComponentRecipe(
        name=candidate.name,
        directory=candidate.directory,
        builder=builder_name(offer),
        image=None,
        system=(),
        env={},
        fetch=(),
        hosts=(),
        build=(),
        test=(),
        limits=LimitsRecipe(),
        artifacts=(),
    )


def _component(candidate: Candidate, offer: Offer, brought: Brought) -> str:
    commands = default_commands(candidate, brought).build
    directory = f"dir = {_text(candidate.directory)}\n" if candidate.directory else ""
    lines = "".join(f"  {_text(line)},\n" for line in commands)
    return (
        f"[[component]]               # because of {_comment(candidate.because)}\n"
        f"name = {_text(candidate.name)}\n{directory}"
        f"builder = {_text(builder_name(offer))}\nbuild = [\n{lines}]\n"
    )


def _left_out(candidate: Candidate) -> str:
    name, because = _comment(candidate.name), _comment(candidate.because)
    return f"# {name} (because of {because}) needs a toolchain that is not offered here.\n"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, once DEL is escaped too.
    return json.dumps(value).replace("\x7f", "\\u007f")


def _comment(value: str) -> str:
    return value.encode("unicode_escape").decode("ascii")
