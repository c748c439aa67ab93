"""``escrow status``, ``report``, ``receipt`` and ``logs``: how a deposit or a product stands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from escrow.operations.cli import remote
from escrow.operations.cli.output import (
    EXIT_DOES_NOT,
    give,
    give_fields,
    give_table,
    say,
    wants_json,
)

DepositArgument = Annotated[
    str, typer.Argument(help="A deposit's id, or vendor/product for the newest, or …#3.")
]


# What a standing consists of, and the columns in which it is shown.
_PARTS_OF_STANDING: dict[str, tuple[str, ...]] = {
    "products": (),
    "deposits": ("number", "state", "verification", "verdict", "level", "sealed_at", "id"),
    "workers": ("key", "verdict"),
    "parts": ("kind", "name", "media", "size_bytes", "sha256", "carried"),
}

# Counts of a report in words.
_WORDS = {"partsCarried": "parts carried over", "totalBytes": "bytes in all"}


def deposit_of(text: str) -> str:
    """Return the id of the deposit that a person named.

    Args:
        text: ``dep_…``, ``vendor/product`` (the newest) or ``vendor/product#3``.
    """
    if text.startswith("dep_"):
        return remote.id_path(text)
    product, _, number = text.partition("#")
    path = f"/products/{remote.product_path(product)}/deposits/{remote.id_path(number or 'newest')}"
    return str(remote.call("GET", path).json()["id"])


def status(
    what: Annotated[
        str, typer.Argument(help="vendor/product, a deposit's id, or an agreement's id.")
    ],
) -> None:
    """Show where a product, a deposit or an agreement stands, as far as you may see it.

    Example: escrow status acme/ledger
    """
    if what.startswith("dep_") or "#" in what:
        document = remote.call("GET", f"/deposits/{deposit_of(what)}").json()
    elif what.startswith("agr_"):
        document = remote.call("GET", f"/agreements/{remote.id_path(what)}/status").json()
    else:
        document = remote.call("GET", f"/products/{remote.product_path(what)}/status").json()
    if wants_json():
        give(document)
    else:
        _show_standing(document)


def _show_standing(document: dict[str, Any]) -> None:
    """Print how a thing stands, and below it what it consists of."""
    tables = {name: document.pop(name, None) or [] for name in _PARTS_OF_STANDING}
    give_fields(document)
    for product in tables["products"]:
        say("")
        _show_standing(product)
    for name, columns in _PARTS_OF_STANDING.items():
        if columns and tables[name]:
            say("")
            give_table(tables[name], columns, "")


def report(
    deposit: DepositArgument,
    save: Annotated[Path | None, typer.Option(help="Keep the signed report here.")] = None,
    second: Annotated[
        bool, typer.Option("--second", help="The second worker's, in the first one's place.")
    ] = False,
) -> None:
    """Print the verification report of a deposit, in the class that you may see.

    Exit code 0: PASS; 1: anything else.

    Example: escrow report acme/ledger --save report.json
    """
    path = f"/deposits/{deposit_of(deposit)}/report" + ("?second=true" if second else "")
    answer = remote.call("GET", path).json()
    if save is not None:
        save.write_text(_text(answer["document"]), encoding="utf-8")
    summary = answer["summary"]
    if wants_json():
        give(summary)
    else:
        _show_report(summary)
    if summary["verdict"] != "pass":
        raise typer.Exit(EXIT_DOES_NOT)


def _show_report(summary: dict[str, Any]) -> None:
    """Print the verdict, what each level says, how much there is, and each finding."""
    levels, counts = summary.pop("levels", []), summary.pop("counts", {})
    findings = summary.pop("findings", [])
    give_fields(summary)
    say("")
    give_table(levels, ("level", "verdict", "because"), "")
    if counts:
        say("")
        give_fields({_WORDS.get(name, name): count for name, count in counts.items()})
    if findings:
        say("")
    for finding in findings:
        times = f" ({finding['count']} times)" if finding.get("count", 1) > 1 else ""
        where = f"{finding['component']}: " if finding.get("component") else ""
        sentence = finding.get("sentence") or finding.get("title") or ""
        say(f"{finding['severity']:<5} {finding['code']}  {where}{sentence}{times}")
        if finding.get("remedy"):
            say(f"      remedy: {finding['remedy']}")


def receipt(
    deposit: DepositArgument,
    save: Annotated[Path | None, typer.Option(help="Keep the signed receipt here.")] = None,
) -> None:
    """Fetch the signed receipt of a deposit.

    Example: escrow receipt acme/ledger --save receipt.json && escrow check receipt.json
    """
    document = remote.call("GET", f"/deposits/{deposit_of(deposit)}/receipt").json()
    if save is None:
        sys.stdout.write(_text(document))
        return
    save.write_text(_text(document), encoding="utf-8")
    give({"saved": str(save)}, f"Saved {save}; 'escrow check {save}' checks it offline.")


def logs(
    deposit: DepositArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it is finished.")] = False,
) -> None:
    """Print the log of a trial build; the vendor alone can.

    Example: escrow logs -f acme/ledger
    """
    asked = deposit_of(deposit)
    lines: list[str] = []
    log = _Log(f"/deposits/{asked}/log", lines.append if wants_json() else _show_line)
    while not log.read_on(follow=follow) and follow:
        pass
    if wants_json():
        give({"deposit": asked, "finished": log.is_finished, "lines": lines})


class _Log:
    """A log as far as it was read.

    Args:
        path: of the log.
        show: gets each line, once.
    """

    def __init__(self, path: str, show: Callable[[str], object]) -> None:
        self.is_finished = False
        self._path = path
        self._show = show
        self._offset = ""

    def read_on(self, *, follow: bool) -> bool:
        """Read on from where it was left and return whether the log is at its end."""
        import httpx

        headers = {"Accept": "text/event-stream"}
        if self._offset:
            headers["Last-Event-ID"] = self._offset
        parameters = {"follow": str(follow).lower()}
        try:
            with (
                remote.connection() as client,
                client.stream("GET", self._path, headers=headers, params=parameters) as answer,
            ):
                if not answer.is_success:
                    answer.read()
                    remote.check_answer(answer)
                self._take(answer.iter_lines())
        except remote.ServiceOut as out:
            # A build that is silent for long is no error: it is asked again from the same place.
            if not isinstance(out.__cause__, httpx.ReadTimeout):
                raise
        return self.is_finished

    def _take(self, lines: Iterator[str]) -> None:
        """Take server-sent events (WHATWG HTML, section 9.2.6)."""
        event = ""
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                event = value
            elif name == "id":
                self._offset = value
            elif name == "data" and event == "end":
                self.is_finished = True
                return
            elif name == "data":
                self._show(value)
            elif not line:
                event = ""


def _show_line(line: str) -> None:
    say(line)
    # Whoever follows sees each line as it comes.
    sys.stdout.flush()


def _text(document: object) -> str:
    import json

    return json.dumps(document, indent=2) + "\n"
