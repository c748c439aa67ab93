"""One line for every command, with what it needs by name; a command without a line is a red test.

``{name}`` is a thing that :class:`Things` makes or a file that :func:`write_files` writes. Before
each line stands who types it: a key of the world's tokens, or ``-`` where no token is needed.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from escrow.parties import bootstrap
from escrow.parties.permissions import Role
from escrow.register.changes import change_subject
from escrow.testing.custody import CustodyWorld
from escrow.testing.endings import Endings
from escrow.testing.releases import ReleaseWorld
from escrow.vault import age
from escrow.vault.ceremony import open_share_file, seal_canary_share

TABLE = """
-            config check
-            keys new {name} --in {folder}
-            keys show bo --in {keys}
-            agreement new --set title=Escrow
-            agreement check {toml}
-            admin continuity runbook
-            trust-root --save {save}
-            check {receipt} --trust-root {root}
-            admin claim --name Ada --email ada@operator.example --one-time-token {one_time}
operator     admin organisation newcomers --name Newcomers
operator     admin organisations
operator     admin member northwind --name Max --email max@northwind.example --role vendor
operator     admin key {member} --age-recipient {recipient}
operator     admin token northwind --role vendor --verb deposit
operator     admin tokens
operator     admin notices --failed
operator     admin revoke {token_id}
operator     admin erase {member}
operator     product register northwind/another --owes data:dump=30
vendor       product list
vendor       product show northwind/ledger-core
vendor       agreement file {toml}
vendor       agreement list
vendor       agreement show {agreement}
vendor       agreement accept {filed} --key {ada}
beneficiary  agreement missing {agreement} --save {folder}
beneficiary  agreement prove-recipient {filed} --key {bo} --identity {bo_age}
vendor       agreement recipient show {agreement}
beneficiary  agreement recipient change {agreement} --to {recipient} --key {bo}
beneficiary  agreement recipient prove {agreement} {change} --identity {new_age} --key {bo}
beneficiary  agreement recipient withdraw {agreement} {change} --key {bo}
operator     ceremony hold {accepted}
agent_1      ceremony vouch {filed} --key {cy} --trust-root {root}
agent_2      ceremony contribute {agreement} --identity {di_age} --to {cy_public} {keep}
agent_1      ceremony open-canary {contributed} --identity {cy_age} --key {cy}
agent_1      ceremony drill {agreement} --panel
agent_1      ceremony answer {drill} --identity {cy_age} --key {cy} --trust-root {root} --yes
agent_2      ceremony progress {drill}
operator     ceremony panel {agreement}
vendor       ceremony custody {agreement}
agent_1      ceremony session {agreement}
agent_1      ceremony carry-out {drill}
agent_1      ceremony reshare {agreement}
agent_2      ceremony contribute-all {renewed} --identity {di_age} --to {cy_public}
agent_1      ceremony open-canaries {renewed} --identity {cy_age} --key {cy}
vendor       deposit send northwind/ledger-core --data {data}
vendor       deposit begin northwind/ledger-core
vendor       deposit sealing-key {agreement} --trust-root {root}
vendor       deposit add {draft} {data}
vendor       deposit finish {filled}
vendor       deposit abandon {draft}
vendor       deposit list northwind/ledger-core
vendor       deposit withdraw {replaced} --agreement {agreement} --key {ada}
operator     admin retention northwind/ledger-core
beneficiary  agreement hold {agreement} --statement {words} --key {bo}
vendor       agreement destroy {agreement} --statement {words} --key {ada}
vendor       ending list {agreement}
vendor       ending show {hold}
beneficiary  ending lift {hold} --statement {words} --key {bo}
beneficiary  ending acknowledge {destruction} --key {bo}
agent_1      ending serve {destruction} {served} --proof {data} --key {cy}
beneficiary  ending object {destruction} --statement {words} --key {bo}
vendor       ending cancel {destruction} --key {ada}
agent_1      ending confirm {confirmable} --key {cy} --trust-root {root} --yes
vendor       ending certificate {destroyed} --save {save}
vendor       status northwind/ledger-core
vendor       report northwind/ledger-core --save {save}
vendor       receipt northwind/ledger-core --save {save}
vendor       logs northwind/ledger-core -f
beneficiary  request file {agreement} {condition} --statement {words} {docket} --key {bo}
beneficiary  request list
beneficiary  request show {request}
vendor       request acknowledge {request} --key {ada}
agent_1      request serve {request} --day 2026-01-02 --proof {data} --key {cy}
vendor       request consent {request} --key {ada}
vendor       request object {request} --statement {words} --key {ada}
beneficiary  request withdraw {request} --key {bo}
beneficiary  request paper {request} {paper} --save {save}
agent_1      confirm {approved} --identity {cy_age} --key {cy} --trust-root {root} --yes
beneficiary  release show {released}
beneficiary  release fetch {released} --to {folder}
beneficiary  release certificate {released} --save {save}
"""

# What stands on a disk before a line is typed, and what a line makes there.
READ = (
    "toml",
    "root",
    "receipt",
    "ada",
    "bo",
    "cy",
    "bo_age",
    "cy_age",
    "di_age",
    "new_age",
    "data",
    "words",
)
WRITTEN = ("save", "folder")


@dataclass(frozen=True)
class Line:
    """A line as it is typed, and by whom."""

    who: str
    text: str

    @property
    def command(self) -> str:
        """The words before the first that is no command's name."""
        words = self.text.split()
        group = words[0] in GROUPS
        below = " ".join(words[:2]) in GROUPS_BELOW
        return " ".join(words[: 1 + group + below])

    @property
    def names(self) -> list[str]:
        """The things and files that it names."""
        return re.findall(r"\{(\w+)\}", self.text)

    def words(self, things: Mapping[str, str]) -> list[str]:
        """Return the line with every thing in its place."""
        return shlex.split(self.text.format_map(things))


_GROUPS = "admin agreement ceremony config deposit ending keys ledger product release request"
GROUPS = _GROUPS.split()
GROUPS_BELOW = ("admin continuity", "agreement recipient")
LINES = [Line(*text.split(maxsplit=1)) for text in TABLE.strip().splitlines()]


def write_files(world: ReleaseWorld, folder: Path) -> dict[str, str]:
    """Write everybody's keys and papers into a folder and return where each file is."""
    cast, keys = world.cast, folder / "keys"
    keys.mkdir(parents=True)
    for name, who in (("ada", "vendor"), ("bo", "beneficiary"), ("cy", "agent_1")):
        cast.signing_key(who).write(keys / f"{name}.pem", None)
    holders = (("bo", "beneficiary_primary"), ("cy", "agent_1"), ("di", "agent_2"))
    for name, who in holders:
        age.write_identity_file(keys / f"{name}.age", cast.identity(who), None)
    age.write_identity_file(keys / "new.age", age.new_x25519_identity(), None)
    (keys / "bo.public.json").write_text(json.dumps({"name": "bo"}), encoding="utf-8")
    texts = {"toml": cast.text, "root": world.ledger.trust_root.to_json()}
    texts |= {"data": "one,two\n", "words": "The vendor was wound up.", "receipt": receipt(world)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = {name: str(folder / name) for name in texts}
    files |= {name: str(keys / f"{name}.pem") for name in ("ada", "bo", "cy")}
    files |= {f"{name}_age": str(keys / f"{name}.age") for name in ("bo", "cy", "di", "new")}
    files |= {"keys": str(keys), "save": str(folder / "saved"), "folder": str(folder / "made")}
    files |= {"docket": f"--evidence court-record={folder / 'words'}", "name": "new"}
    files |= {"keep": f"--save-share {folder / 'share'}"}
    return files | {"condition": "--condition vendor-insolvency"}


def receipt(world: ReleaseWorld) -> str:
    """Return the signed receipt of the world's newest deposit."""
    return world.ask("GET", f"/deposits/{newest(world)}/receipt", "vendor").text


def newest(world: ReleaseWorld) -> str:
    """Return the id of the newest deposit."""
    found = world.do("GET", f"{world.product_path}/deposits/newest", "vendor")
    return str(found["id"])


class Things(dict[str, str]):
    """What lines name: files as they are given; anything else is made when it is first named."""

    def __init__(self, world: ReleaseWorld, files: Mapping[str, str]) -> None:
        super().__init__(files)
        self.world = world

    def __missing__(self, name: str) -> str:
        self[name] = str(getattr(self, name))
        return self[name]

    @property
    def agreement(self) -> str:
        """The agreement in force."""
        return self.world.agreement

    @property
    def filed(self) -> str:
        """An agreement that is filed and nothing more."""
        return self.world.file(self.world.cast.text.replace("Escrow of the", "Another of the"))

    @cached_property
    def accepted(self) -> str:
        """An agreement that everybody accepted."""
        world, agreement = self.world, self.filed
        shown = world.do("GET", f"/agreements/{agreement}", "vendor")
        subject = {name: shown[name] for name in ("version", "text_sha256")}
        for who in ("vendor", "beneficiary", "agent_1", "agent_2", "agent_3"):
            world.act(agreement, who, "accept-agreement", {"agreement_id": agreement, **subject})
        holders = ("beneficiary_primary", "beneficiary_recovery")
        world.prove_recipients(agreement, holders)
        return agreement

    @property
    def contributed(self) -> str:
        """An agreement whose shares are dealt and the second agent's sent on to the first."""
        world, agreement = self.world, self.accepted
        path = f"/agreements/{agreement}"
        world.do("POST", f"{path}/ceremony", "operator")
        dealt = world.do("GET", f"{path}/shares", "agent_2")["shares"][0]["file"]
        share = open_share_file(base64.b64decode(dealt), world.cast.identity("agent_2"))
        opener = world.cast.identity("agent_1").recipient
        sealed = base64.b64encode(seal_canary_share(share, opener)).decode()
        body = {"recipient": str(opener), "file": sealed}
        world.do("POST", f"{path}/canary-shares", "agent_2", json=body)
        return agreement

    @cached_property
    def drill(self) -> str:
        """A drill that the keyholder opened."""
        body = {"purpose": "drill", "agreements": [self.agreement]}
        return str(self.world.do("POST", "/custody/sessions", "agent_1", json=body)["id"])

    @cached_property
    def renewed(self) -> str:
        """A session that dealt a new key, whose canary the second agent contributed to."""
        world = self.world
        assert isinstance(world, CustodyWorld)
        session = world.begin_session("reshare", agreements=[self.agreement])
        for agent in ("agent_1", "agent_2"):
            world.answer(session, agent)
        path = f"/agreements/{self.agreement}"
        dealt = world.do("GET", f"{path}/shares", "agent_2")["shares"][0]["file"]
        share = open_share_file(base64.b64decode(dealt), world.cast.identity("agent_2"))
        opener = world.cast.identity("agent_1").recipient
        sealed = base64.b64encode(seal_canary_share(share, opener)).decode()
        body = {"recipient": str(opener), "file": sealed}
        world.do("POST", f"{path}/canary-shares", "agent_2", json=body)
        return session

    @property
    def draft(self) -> str:
        """An empty draft."""
        return self.world.draft()

    @property
    def filled(self) -> str:
        """A draft with one part."""
        draft = self.world.draft()
        self.world.upload(draft, "data/dump", "file", b"one,two\n")
        return draft

    @property
    def member(self) -> str:
        """A person of the vendor."""
        body = {"name": "Mia", "email": "mia@northwind.example", "role": "vendor"}
        path = "/organisations/northwind/members"
        return str(self.world.do("POST", path, "operator", json=body)["id"])

    @property
    def recipient(self) -> str:
        """An age recipient that nobody has yet."""
        return str(age.new_x25519_identity().recipient)

    @cached_property
    def change(self) -> str:
        """A change of a recipient that was proposed, to a key of a file."""
        world = self.world
        text_sha256 = world.cast.agreement.text_sha256
        new = str(age.read_identity_file(Path(self["new_age"]), None).recipient)
        subject = change_subject(self.agreement, text_sha256, "primary", new)
        world.act(self.agreement, "beneficiary", "change-recipient", subject)
        found = world.do("GET", f"/agreements/{self.agreement}/recipients", "beneficiary")
        return str(found["changes"][-1]["id"])

    @property
    def cy_public(self) -> str:
        """The first agent's recipient."""
        return str(self.world.cast.identity("agent_1").recipient)

    @property
    def token_id(self) -> str:
        """A token to revoke."""
        return self.world.issue("doomed", "northwind", Role.VENDOR)

    @property
    def one_time(self) -> str:
        """A one-time token of an installation's set-up."""
        rooms, now = self.world.rooms, self.world.clock.now()
        with rooms.database.writing() as session:
            return bootstrap.begin(session, rooms.scribe, "production", now, again=True)

    @property
    def replaced(self) -> str:
        """A deposit after which a newer one was built."""
        first = newest(self.world)
        self.world.verify(self.world.deposit())
        return first

    @property
    def hold(self) -> str:
        """A hold of the beneficiary."""
        return Endings(self.world).hold()

    @property
    def destruction(self) -> str:
        """A request for destruction."""
        return Endings(self.world).request_destruction()

    @property
    def served(self) -> str:
        """Who was served, and when."""
        day = self.world.clock.now().date().isoformat()
        return f"--beneficiary {self.world.cast.beneficiary} --day {day}"

    @property
    def confirmable(self) -> str:
        """A destruction whose grace period is over."""
        return Endings(self.world).until_confirmable()

    @property
    def destroyed(self) -> str:
        """A destruction that was executed."""
        people, ending = Endings(self.world), self.confirmable
        for agent in ("agent_1", "agent_2"):
            people.confirm(ending, agent)
        return ending

    @cached_property
    def request(self) -> str:
        """A request that was filed."""
        return self.world.request()

    @property
    def paper(self) -> str:
        """The digest of the request's statement."""
        return self.world.request_subject().statement_sha256

    @property
    def approved(self) -> str:
        """A request that the vendor consented to."""
        self.world.act_on(self.request, "vendor", "consent-to-release")
        return self.request

    @property
    def released(self) -> str:
        """A request that was handed over."""
        approved = self.approved
        for agent in ("agent_1", "agent_2"):
            self.world.confirm(approved, agent)
        return approved
