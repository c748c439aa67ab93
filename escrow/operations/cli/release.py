"""``escrow release``: fetch what a release handed over, ready to be opened with stock programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from escrow.operations.cli import remote
from escrow.operations.cli.check import TRUST_ROOT_VARIABLE, NoTrustRoot
from escrow.operations.cli.handed_over import certified_digests
from escrow.operations.cli.output import complain, give, give_table, say, wants_json
from escrow.operations.cli.package import Package, files_of, images_of

app = typer.Typer(help="Releases: list and fetch what was handed over.", no_args_is_help=True)

RequestArgument = Annotated[str, typer.Argument(help="The request's id, req_….")]


@app.command("show")
def show(request: RequestArgument) -> None:
    """List what a release hands over, deposit by deposit.

    Example: escrow release show req_01kb…
    """
    index = _index(request)
    if wants_json():
        give(index)
        return
    for deposit in index["deposits"]:
        mark = " (last verified)" if deposit["deposit_id"] in index["last_verified"] else ""
        name = f"{deposit['product']}#{deposit['number']}"
        say(f"deposit {name}, sealed {deposit['sealed_at']}{mark}")
        give_table(deposit["files"], ("original", "media", "size_bytes", "age_size_bytes"), "")
        for image in deposit.get("images", ()):
            say(f"needs {image['path']} ({image['archive_size_bytes']} bytes) to be rebuilt")
        say("")


@app.command("fetch")
def fetch(
    request: RequestArgument,
    to: Annotated[Path, typer.Option(help="A folder; made when missing.")],
    deposit: Annotated[
        int | None,
        typer.Option(help="Number of the deposit; otherwise the last verified of each product."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every retained deposit.")] = False,
    trust_root: Annotated[
        Path | None,
        typer.Option(envvar=TRUST_ROOT_VARIABLE, help="The public keys that you compared."),
    ] = None,
) -> None:
    """Fetch a release as a package of age files with README, SHA256SUMS, open.sh and rebuild.sh.

    What is there already with the right size is not fetched again. Each file is compared with the
    release's certificate, and that with the trust root.

    Example: escrow release fetch req_01kb… --to release
    """
    index = _index(request)
    package = Package(index, to)
    chosen = package.choose(deposit, everything=everything)
    files = files_of(chosen)
    for file in files:
        package.fetch(request, file)
    is_certified = _check_certified(package, index, request, files, trust_root)
    images = images_of(chosen)
    for image in images:
        package.fetch_image(request, image)
    package.write_papers(chosen)
    numbers = [one["number"] for one in chosen]
    counts = {"files": len(files), "images": len(images), "certified": is_certified}
    told = f"{len(files)} files and {len(images)} images in {to}; read {to / 'README.txt'} next."
    give({"folder": str(to), "deposits": numbers, **counts}, told)


def _check_certified(
    package: Package,
    index: dict[str, Any],
    request: str,
    files: Sequence[dict[str, Any]],
    trust_root: Path | None,
) -> bool:
    """Compare the files with the certificate; False, and said, where there is no trust root.

    Raises:
        FileNotCertified: a file is another than the keyholder made.
        NoTrustRoot: the one that was named cannot be read.
    """
    try:
        digests = certified_digests(index["certificate"], request, trust_root)
    except NoTrustRoot:
        if trust_root is not None:
            raise
        complain("no trust root here: the files were not compared with what was certified.")
        complain("Get one ('escrow trust-root'), compare its fingerprint, and fetch again.")
        return False
    for file in files:
        package.check(file, digests)
    return True


@app.command("certificate")
def certificate(
    request: RequestArgument,
    save: Annotated[Path, typer.Option(help="Where to keep it.")],
) -> None:
    """Fetch the signed certificate of a release; 'escrow check' checks it offline.

    Example: escrow release certificate req_01kb… --save certificate.json
    """
    document = remote.call("GET", f"/requests/{remote.id_path(request)}/certificate").json()
    save.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    give({"saved": str(save)}, f"Saved {save}; 'escrow check {save}' checks it offline.")


def _index(request: str) -> dict[str, Any]:
    document: dict[str, Any] = remote.call(
        "GET", f"/requests/{remote.id_path(request)}/release"
    ).json()
    return document
