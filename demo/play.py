"""The play itself: parties, agreement, ceremony, three deposits, their verdicts."""

from __future__ import annotations

import string

from demo.cast import (
    PEOPLE,
    PRODUCT,
    Cast,
    identity_of,
    key,
    public,
    recipient,
    recipient_file,
)
from demo.project import Project, fetch_project
from demo.release import release
from demo.stage import Stage, run

# Any sdist of the Python index with build-time and run-time dependencies will do; this one has
# some 7,000 files.
PROJECT = "Django"


def play(here: Stage) -> None:
    """Play every step; the first that does not end as it should stops the play."""
    with here.step(f"Start the service: {here.title}"):
        one_time = here.set_up()
        here.show(f"trust root {one_time['trust_root_fingerprint']}")
    cast = set_up_parties(here, str(one_time["one_time_token"]))
    with here.step(f"Fetch a real project by name: {PROJECT}, with what it needs to be built"):
        project = fetch_project(here.folder / "project", PROJECT)
        here.show(f"{project.title}: {project.files} files, {project.size_bytes >> 20} MiB")
    with here.step("The vendor deposits the source by git push"):
        push(here, cast, project)
    with here.step("The service rebuilds it from the sealed bytes, without network"):
        follow(here, cast, f"{PRODUCT}#1")
        show_verdict(here, cast, f"{PRODUCT}#1", expect=0)
    with here.step("Receipt and report are checked offline: trust root and agreement suffice"):
        check_papers(here, cast, f"{PRODUCT}#1")
    with here.step("The vendor adds documents by upload; the source is carried forward"):
        docs = here.folder / "manual.txt"
        docs.write_text("How to install, configure and operate the product.\n" * 200)
        vendor = here.person(cast.tokens["vendor"])
        here.show(here.escrow(vendor, "deposit", "send", PRODUCT, "--docs", str(docs)))
        follow(here, cast, f"{PRODUCT}#2")
    with here.step("A later push lacks one file that the build needs"):
        here.show(f"removed: {project.break_it()}")
        push(here, cast, project)
        follow(here, cast, f"{PRODUCT}#3")
        show_verdict(here, cast, f"{PRODUCT}#3", expect=1)
    with here.step("What each side sees"):
        for role in ("vendor", "beneficiary", "agent_1"):
            here.show(f"{PEOPLE[role][1]}:")
            here.show(here.escrow(here.person(cast.tokens[role]), "status", PRODUCT))
    release(here, cast, project)
    with here.step("The whole ledger is checked"):
        here.show(here.operate("ledger", "verify"))


def set_up_parties(here: Stage, one_time_token: str) -> Cast:
    """Register who takes part, and bring the agreement into force."""
    with here.step("Administrator, organisations, people with their own keys, scoped tokens"):
        claim = here.person() | {"ESCROW_ONE_TIME_TOKEN": one_time_token}
        admin = here.person(
            str(
                here.ask(claim, "admin", "claim", "--name", "Root", "--email", "root@op.example")[
                    "token"
                ]
            )
        )
        for organisation, _ in PEOPLE.values():
            here.escrow(admin, "admin", "organisation", organisation)
        for name in PEOPLE:
            here.escrow(here.person(), "keys", "new", name, "--in", str(here.keys))
        for name in ("primary", "recovery"):
            # The beneficiary needs nothing of ours to open a release: stock age makes his keys.
            run("age-keygen", "-o", recipient_file(here, name), cwd=here.folder)
        register = ("product", "register", PRODUCT, "--repository", "source")
        here.escrow(admin, *register, "--ref", "refs/heads/main", "--owes", "source")
        tokens = {role: issue_token(here, admin, role) for role in PEOPLE}
    with here.step("The agreement: filed from the template, signed by all, keys dealt and proven"):
        agreement = bring_into_force(here, admin, tokens)
    return Cast(admin["ESCROW_TOKEN"], tokens, agreement)


def issue_token(here: Stage, admin: dict[str, str], role: str) -> str:
    """Register one person and return his token."""
    organisation, name = PEOPLE[role]
    kind = role.partition("_")[0]
    person = ("--name", name, "--email", f"{role}@{organisation}.example", "--role", kind)
    own = ("--signing-key", public(here, role)["signing_key"])
    member = here.ask(admin, "admin", "member", organisation, *person, *own)["id"]
    issued = here.ask(
        admin, "admin", "token", organisation, "--role", kind, "--member", str(member)
    )
    return str(issued["token"])


def bring_into_force(here: Stage, admin: dict[str, str], tokens: dict[str, str]) -> str:
    """File the agreement, have everybody sign it, deal the key, prove it; return its id."""
    text = string.Template(here.escrow(here.person(), "agreement", "new")).substitute(
        filled_in(here)
    )
    file = here.folder / "agreement.toml"
    file.write_text(text, encoding="utf-8")
    here.show(here.escrow(here.person(), "agreement", "check", str(file)))
    agreement = str(here.ask(admin, "agreement", "file", str(file))["id"])
    for role in PEOPLE:
        person = here.person(tokens[role])
        here.escrow(person, "agreement", "accept", agreement, "--key", key(here, role))
    beneficiary = here.person(tokens["beneficiary"])
    for identity in ("primary", "recovery"):
        here.escrow(
            beneficiary,
            "agreement",
            "prove-recipient",
            agreement,
            "--key",
            key(here, "beneficiary"),
            "--identity",
            recipient_file(here, identity),
        )
    here.show(here.escrow(admin, "ceremony", "hold", agreement))
    opener = public(here, "agent_2")["age_recipient"]
    for role in ("agent_1", "agent_3"):
        here.escrow(
            here.person(tokens[role]),
            "ceremony",
            "contribute",
            agreement,
            "--identity",
            identity_of(here, role),
            "--to",
            opener,
        )
    here.show(
        here.escrow(
            here.person(tokens["agent_2"]),
            "ceremony",
            "open-canary",
            agreement,
            "--identity",
            identity_of(here, "agent_2"),
            "--key",
            key(here, "agent_2"),
        )
    )
    return agreement


def filled_in(here: Stage) -> dict[str, str]:
    """Return what stands in the template's places in this play."""
    values = {
        "title": "Escrow of a web framework",
        "governing_law": "England and Wales",
        "language": "en",
        "calendar": "GB-ENG",
        "product": PRODUCT.partition("/")[2],
        "dispute_resolver": "arbiter",
        "dispute_resolver_name": "Example Institute of Arbitration",
        "beneficiary_primary_recipient": recipient(here, "primary"),
        "beneficiary_recovery_recipient": recipient(here, "recovery"),
    }
    for role, (organisation, name) in PEOPLE.items():
        keys = public(here, role)
        values |= {
            f"{role}_organisation": organisation,
            f"{role}_signing_key": keys["signing_key"],
        }
        if role.startswith("agent"):
            values |= {
                f"{role}_name": name,
                f"{role}_email": f"{role}@{organisation}.example",
                f"{role}_share_recipient": keys["age_recipient"],
            }
            continue
        values |= {
            f"{role}_name": f"{organisation.title()} Ltd",
            f"{role}_legal_id": f"register of companies {organisation}-1",
            f"{role}_person_name": name,
            f"{role}_person_email": f"{role}@{organisation}.example",
        }
        for number in ("1", "2"):
            values[f"{role}_contact_{number}_name"] = f"Desk {number}"
            values[f"{role}_contact_{number}_email"] = f"desk{number}@{organisation}.example"
    return values


def push(here: Stage, cast: Cast, project: Project) -> None:
    """Push as a vendor's engineer does; the token reaches git by its credential protocol."""
    environment = here.person(cast.tokens["vendor"])
    helper = '!f() { echo username=token; echo "password=$ESCROW_TOKEN"; }; f'
    remote = f"{here.url}/git/{PRODUCT}/source.git"
    output = run(
        "git",
        "-c",
        f"credential.helper={helper}",
        "push",
        remote,
        "main",
        cwd=project.folder,
        environment=environment,
    )
    here.show("\n".join(line for line in output.splitlines() if line.startswith("remote:")))


def follow(here: Stage, cast: Cast, deposit: str) -> None:
    """Follow a deposit's trial build to its end and show the last lines of its log."""
    log = here.escrow(here.person(cast.tokens["vendor"]), "logs", "-f", deposit)
    here.show("\n".join(log.splitlines()[-6:]))


def show_verdict(here: Stage, cast: Cast, deposit: str, *, expect: int) -> None:
    """Print the vendor's report of a deposit; ``expect`` is the exit code of its verdict."""
    here.show(here.escrow(here.person(cast.tokens["vendor"]), "report", deposit, expect=expect))


def check_papers(here: Stage, cast: Cast, deposit: str) -> None:
    """Save the receipt and the beneficiary's report, and check both without the service."""
    receipt, report = here.folder / "receipt.json", here.folder / "report.json"
    vendor, bank = (here.person(cast.tokens[role]) for role in ("vendor", "beneficiary"))
    here.escrow(vendor, "receipt", deposit, "--save", str(receipt))
    here.escrow(bank, "report", deposit, "--save", str(report))
    offline = here.person() | {"ESCROW_URL": "http://127.0.0.1:1"}
    text = ("--agreement", str(here.folder / "agreement.toml"))
    here.show(here.escrow(offline, "check", str(receipt), str(report), *text))
