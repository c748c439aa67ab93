"""The second half of the play: from a release request to the beneficiary's own rebuilt copy."""

from __future__ import annotations

from demo.cast import PEOPLE, PRODUCT, Cast, identity_of, key, recipient_file
from demo.project import Project
from demo.stage import PlayFailed, Stage, run


def release(here: Stage, cast: Cast, project: Project) -> None:
    """Request, consent, two confirmations, fetching, opening and rebuilding with stock programs."""
    with here.step("The beneficiary states that a release condition has occurred"):
        request = file_request(here, cast)
    with here.step("The vendor consents, with its own key"):
        vendor = here.person(cast.tokens["vendor"])
        here.show(here.escrow(vendor, "request", "consent", request, "--key", key(here, "vendor")))
    for role in ("agent_1", "agent_3"):
        with here.step(f"{PEOPLE[role][1]} checks the ledger's proofs and confirms, in a client"):
            here.show(confirm(here, cast, request, role))
    with here.step("The beneficiary fetches the package"):
        folder = here.folder / "release"
        fetch = ("release", "fetch", request, "--to", str(folder))
        here.show(here.escrow(here.person(cast.tokens["beneficiary"]), *fetch))
    with here.step("The certificate is checked offline: trust root and agreement suffice"):
        offline = here.person() | {"ESCROW_URL": "http://127.0.0.1:1"}
        text = ("--agreement", str(here.folder / "agreement.toml"))
        here.show(here.escrow(offline, "check", str(folder / "certificate.json"), *text))
    with here.step("Stock age, zstd and git open it: the commit is the one that was pushed"):
        run("sh", "open.sh", recipient_file(here, "primary"), cwd=folder)
        bundle = (
            folder
            / "opened"
            / PRODUCT.partition("/")[2]
            / "deposit-1"
            / "parts"
            / "source"
            / "source"
        )
        run("git", "clone", "-q", str(bundle), "opened-source", cwd=here.folder)
        found = run("git", "rev-parse", "HEAD", cwd=here.folder / "opened-source").strip()
        if found != project.first_commit:
            raise PlayFailed(f"the released commit is {found}, not {project.first_commit}")
        here.show(f"released commit {found}")
    with here.step("The beneficiary rebuilds it without us and without network: Docker and tar"):
        said = run("sh", "rebuild.sh", cwd=folder)
        here.show("\n".join(line for line in said.splitlines() if _is_told(line)))


def _is_told(line: str) -> bool:
    """Tell what the script says from what the build says."""
    return line.startswith(("1. ", "2. ", "3. ", "identical ", "IDENTICAL"))


def file_request(here: Stage, cast: Cast) -> str:
    """File the request with its statement and one piece of evidence; return its id."""
    words, docket = here.folder / "statement.txt", here.folder / "docket.txt"
    words.write_text("The vendor was wound up by order of the court.\n", encoding="utf-8")
    docket.write_text("Winding-up order, docket 17.\n", encoding="utf-8")
    filed = here.ask(
        here.person(cast.tokens["beneficiary"]),
        "request",
        "file",
        cast.agreement,
        "--condition",
        "vendor-insolvency",
        "--statement",
        str(words),
        "--evidence",
        f"court-record={docket}",
        "--key",
        key(here, "beneficiary"),
    )
    here.show(f"{filed['id']} is {filed['state']}. {filed['next']}")
    return str(filed["id"])


def confirm(here: Stage, cast: Cast, request: str, role: str) -> str:
    """Confirm as one agent, and return what his client printed."""
    own = ("--identity", identity_of(here, role), "--key", key(here, role))
    return here.escrow(here.person(cast.tokens[role]), "confirm", request, *own, "--yes")
