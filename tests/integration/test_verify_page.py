"""docs/verify.md as a stranger runs it: an empty folder, stock programs, no network."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from escrow.evidence.acts import build_act, sign_act
from escrow.evidence.anchors import Anchors
from escrow.evidence.bundles import Bundle, SignedDocument, sign_together
from escrow.evidence.checking import check_document
from escrow.evidence.errors import EvidenceFails
from escrow.evidence.kinds import KINDS
from escrow.evidence.snapshots import Agents, TrustSnapshot, Vouched, vouch_subject
from escrow.evidence.statements import (
    BESIDE_FIELD,
    DESTRUCTION_TYPE,
    MISSING_DEPOSIT_TYPE,
    RECEIPT_TYPE,
    RELEASE_TYPE,
    REPORT_TYPE,
    RESULTS_TYPE,
    STATEMENT_FIELD,
    SUMMARY_TYPE,
    Stamp,
    statement,
)
from escrow.evidence.timestamps import HttpAuthority
from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.testing.ledgers import LedgerWorld, named_key
from escrow.testing.timestamps import TrialAuthority
from tests.programs import program_versions, sid_program

PAGE = Path(__file__).parents[2] / "docs/verify.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
# All that the commands may find; nothing else is on their path.
_STOCK = (
    "base64 cat cut echo grep head jq od openssl printf sed seq sh sha256sum sort tail test tr wc"
)
AGENTS = tuple(named_key(f"agent-{one}") for one in "abc")
SUBJECT = b"the part's plaintext"
SECOND = "worker/second"


def _statement(kind: str, **more: object) -> bytes:
    predicate = {
        "v": 1,
        "service": Stamp("Trial Escrow", "production", "0.1").to_json(),
        "deposit": {"id": "dep_1", "number": 1},
        **more,
    }
    return statement([("source/app", sha256_hex(SUBJECT))], kind, predicate)


class Stranger:
    """Somebody with the documents and stock programs."""

    def __init__(self, folder: Path, trust_root: str) -> None:
        self.folder = folder
        self.trust_root = trust_root
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        for name in _STOCK.split():
            found = shutil.which(name)
            assert found, f"{name} is missing: run 'make trials'"
            (self.programs / name).symlink_to(found)
        for name in ("cosign", "sigsum-verify"):
            (self.programs / name).symlink_to(sid_program(name))
        self.turns = itertools.count()

    def checks(self, document: str) -> subprocess.CompletedProcess[str]:
        """Run the page's commands, as printed, on a document in an empty folder."""
        place = self.folder / str(next(self.turns))
        place.mkdir()
        (place / "document.json").write_text(document, encoding="utf-8")
        (place / "trust-root.json").write_text(self.trust_root, encoding="utf-8")
        (place / "subject").write_bytes(SUBJECT)
        (place / "agents").write_text("".join(f"{one.public}\n" for one in AGENTS))
        (place / "k").write_text("2\n")
        line = ["/usr/bin/unshare", "--map-root-user", "--net", "--"]
        script = "\n".join(BLOCKS)
        return subprocess.run(
            [*line, self.programs / "sh", "-c", script],
            cwd=place,
            env={"PATH": str(self.programs), "HOME": str(place)},
            capture_output=True,
            text=True,
            check=False,
        )


class World:
    """A service that issued a receipt and a report, with everything a document can carry."""

    def __init__(self, folder: Path, authority: TrialAuthority) -> None:
        self.ledger = LedgerWorld(folder)
        with authority.serving() as named:
            roles = {**self.ledger.trust_root.roles, SECOND: self.ledger.key(SECOND).public}
            self.ledger.trust_root = replace(
                self.ledger.trust_root, anchors=Anchors(authorities=(named,)), roles=roles
            )
            self.ledger.sequencer = self.ledger.new_sequencer()
            self._port = HttpAuthority(named)
            self.ledger.grow(4)
            self.receipt = self._issue(_statement(RECEIPT_TYPE), [], "portal")
            beside = [
                statement([("dep_1", "ee" * 32)], kind, {"result": "PASSED"})
                for kind in (RESULTS_TYPE, SUMMARY_TYPE)
            ]
            text = _statement(REPORT_TYPE, verdict="pass")
            self.report = self._issue(text, beside, "worker")
            self.second = self._issue(text, beside, "worker", SECOND)
            self.missing = self._issue(_statement(MISSING_DEPOSIT_TYPE), [], "worker")
            self.release = self._issue(_statement(RELEASE_TYPE), [], "keyholder")
            self.destruction = self._issue(_statement(DESTRUCTION_TYPE), [], "keyholder")

    def _issue(
        self, leading: bytes, beside: list[bytes], role: str, signer: str = ""
    ) -> SignedDocument:
        key = self.ledger.key(signer or role)
        signed = sign_together(leading, beside, key)
        signed = replace(
            signed,
            timestamps=self._stamped(signed.leading).timestamps,
            beside=tuple(map(self._stamped, signed.beside)),
        )
        data: dict[str, object] = {STATEMENT_FIELD: signed.statement_sha256}
        if beside:
            data[BESIDE_FIELD] = signed.beside_sha256
        event = NewEvent(Stream("product", "prd_1"), "verification:report:signed", "worker", data)
        with self.ledger.database.writing() as session:
            entry = Scribe(role, key, self.ledger.clock).append(session, event)  # type: ignore[arg-type]
        self.ledger.sequence()
        proven = signed.with_proof(self.ledger.proof(entry.entry_sha256))
        root = self.ledger.trust_root
        acts = []
        for agent in AGENTS[:2]:
            subject = vouch_subject("agr_1", root.sha256())
            act = build_act("vouch-trust-root", subject, agent.public, self.ledger.clock.now())
            acts.append(sign_act(act, agent))
        return proven.with_snapshot(TrustSnapshot(root, (Vouched("agr_1", tuple(acts)),)))

    def _stamped(self, one: Bundle) -> Bundle:
        return replace(one, timestamps=(self._port.stamp(one.signature),))

    def elsewhere(self) -> Vouched:
        """One of the agents serves under another agreement too, beside somebody else."""
        root, now = self.ledger.trust_root, self.ledger.clock.now()
        subject = vouch_subject("agr_0", root.sha256())
        both = (AGENTS[0], named_key("agent of another agreement"))
        acts = (build_act("vouch-trust-root", subject, one.public, now) for one in both)
        return Vouched(
            "agr_0", tuple(sign_act(act, one) for act, one in zip(acts, both, strict=True))
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    authority = TrialAuthority(tmp_path_factory.mktemp("tsa"))
    made = World(tmp_path_factory.mktemp("ledger"), authority)
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def stranger(world: World, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    return Stranger(tmp_path_factory.mktemp("stranger"), world.ledger.trust_root.to_json())


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the way to each plain value of a document."""
    if isinstance(value, dict):
        for name in value:
            yield from _places(value[name], (*path, name))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _places(one, (*path, at))
    else:
        yield path


def _flipped(document: str, path: tuple[object, ...]) -> str:
    """Return the document with one plain value changed a little."""
    whole = json.loads(document)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    kept = holder[path[-1]]
    if isinstance(kept, str):
        middle = len(kept) // 2
        swapped = "B" if kept[middle : middle + 1] != "B" else "C"
        holder[path[-1]] = kept[:middle] + swapped + kept[middle + 1 :]
    else:
        holder[path[-1]] = kept + 1 if isinstance(kept, int) else "x"
    return json.dumps(whole)


def _named(path: tuple[object, ...]) -> str:
    return ".".join(map(str, path))


# By the names of the registry: a kind that is added there is asked for here.
@pytest.mark.parametrize("which", sorted(one.name for one in KINDS.values() if one.leads))
def test_the_commands_as_printed_take_our_documents(
    world: World, stranger: Stranger, which: str
) -> None:
    issued = {**vars(world), "missing-deposit": world.missing}
    done = stranger.checks(issued[which].to_json())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("The document holds.\n")


def test_the_commands_as_printed_take_a_second_workers_report(
    world: World, stranger: Stranger
) -> None:
    done = stranger.checks(world.second.to_json())
    assert done.returncode == 0, done.stdout + done.stderr
    assert check_document(world.second.to_json(), world.ledger.trust_root).key_id == (
        world.ledger.key(SECOND).public.key_id
    )
    # Under the first worker's name its signature is none.
    taken = json.loads(world.second.to_json())
    hint = json.loads(world.report.to_json())["bundle"]["verificationMaterial"]
    taken["bundle"]["verificationMaterial"]["publicKey"] = hint["publicKey"]
    assert stranger.checks(json.dumps(taken)).returncode != 0


def test_the_commands_as_printed_know_two_agreements_apart(
    world: World, stranger: Stranger
) -> None:
    kept = world.receipt.snapshot
    assert kept is not None
    both = replace(kept, vouched=(world.elsewhere(), *kept.vouched))
    assert stranger.checks(world.receipt.with_snapshot(both).to_json()).returncode == 0
    # One agent here and another there are no two under one agreement.
    few = tuple(replace(one, acts=one.acts[at : at + 1]) for at, one in enumerate(both.vouched))
    split = replace(kept, vouched=few)
    assert stranger.checks(world.receipt.with_snapshot(split).to_json()).returncode != 0


def test_the_page_names_the_versions_that_were_tried() -> None:
    told = PAGE.read_text(encoding="utf-8")
    met = program_versions()
    print({name: met[name] for name in ("cosign", "sigsum-go")})
    for name in ("cosign", "sigsum-go"):
        assert f"{name} {met[name].partition('-')[0]}" in told, f"sid moved: {name} {met[name]}"


# The trust root within the document is compared as a whole: flipping one value of it is enough.
_SAME_QUESTION = ("trustRoot", "trustRoot", "keys")


def test_the_commands_as_printed_refuse_each_changed_field(
    world: World, stranger: Stranger
) -> None:
    """Of the report only what the receipt has not: each run of cosign has its price."""
    receipt, report = world.receipt.to_json(), world.report.to_json()
    changed = {
        _named(path): _flipped(receipt, path)
        for path in _places(json.loads(receipt))
        if path[:3] != _SAME_QUESTION or path[-1] == "log"
    }
    changed |= {
        _named(path): _flipped(report, path)
        for path in _places(json.loads(report))
        if path[:2] == ("beside", 1)
    }
    with ThreadPoolExecutor(2) as both:
        done = dict(zip(changed, both.map(stranger.checks, changed.values()), strict=True))
    assert [name for name, one in done.items() if one.returncode == 0] == []


def test_our_own_check_refuses_each_changed_field_alike(world: World) -> None:
    root, agents = world.ledger.trust_root, Agents(tuple(one.public for one in AGENTS), 2)
    document = world.report.to_json()
    assert check_document(document, root, [agents]).times
    for path in _places(json.loads(document)):
        changed = _flipped(document, path)
        for known in ([], [agents]):
            with pytest.raises(EscrowError):
                check_document(changed, root, known)


def test_a_statement_that_is_taken_away_or_put_in_is_missed(world: World) -> None:
    root = world.ledger.trust_root
    for beside in (world.report.beside[:1], world.report.beside * 2):
        with pytest.raises(EvidenceFails):
            check_document(replace(world.report, beside=beside).to_json(), root)
