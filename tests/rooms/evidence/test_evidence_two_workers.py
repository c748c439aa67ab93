"""A trust root that names two workers: each signs and logs its own reports, and no other's."""

import json
from dataclasses import replace

import pytest

from escrow.evidence.bundles import sign_statement
from escrow.evidence.checking import check_document
from escrow.evidence.errors import (
    SignedByOtherWorker,
    SignerInOtherRole,
    TrustRootMalformed,
    TrustRootUndecided,
)
from escrow.evidence.snapshots import TrustSnapshot
from escrow.evidence.statements import (
    RECEIPT_TYPE,
    REPORT_TYPE,
    STATEMENT_FIELD,
    Stamp,
    statement,
)
from escrow.evidence.trustroot import TrustRoot
from escrow.evidence.vouching import believed_root
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.testing.ledgers import LedgerWorld, named_key

SECOND = "worker/second"


@pytest.fixture
def two(world: LedgerWorld) -> LedgerWorld:
    """A ledger whose trust root and keyholder know a second worker."""
    roles = {**world.trust_root.roles, SECOND: named_key(SECOND).public}
    world.trust_root = replace(world.trust_root, roles=roles)
    world.sequencer = world.new_sequencer()
    return world


def _statement(kind: str = REPORT_TYPE, worker: SigningKey | None = None) -> bytes:
    examination = {"worker": worker.public.key_id} if worker else {}
    predicate = {
        "service": Stamp("Trial Escrow", "production", "0.1").to_json(),
        "examination": examination,
    }
    return statement([("dep_1", "ab" * 32)], kind, predicate)


def _issue(world: LedgerWorld, text: bytes, signer: SigningKey, scribe: SigningKey) -> str:
    """Sign with one worker's key, and log with one's."""
    unproven = sign_statement(text, signer)
    data = {STATEMENT_FIELD: unproven.statement_sha256}
    event = NewEvent(Stream("product", "prd_1"), "verification:report:signed", "worker", data)
    with world.database.writing() as session:
        entry = Scribe("worker", scribe, world.clock).append(session, event)
    world.sequence()
    return unproven.with_proof(world.proof(entry.entry_sha256)).to_json()


def test_a_trust_root_of_one_worker_is_as_it_was(world: LedgerWorld) -> None:
    value = json.loads(world.trust_root.to_json())
    assert value["format"] == "escrow-trust-root/1"
    assert set(value["keys"]["roles"]) == {"portal", "worker", "keyholder", "operator"}


def test_a_second_worker_makes_it_version_2_and_reads_back(two: LedgerWorld) -> None:
    text = two.trust_root.to_json()
    assert json.loads(text)["format"] == "escrow-trust-root/2"
    read = TrustRoot.from_json(text)
    assert read == two.trust_root
    assert set(read.workers) == {"worker", SECOND}
    assert read.role_of(named_key(SECOND).public.key_id) == "worker"


def test_each_content_has_one_version(world: LedgerWorld, two: LedgerWorld) -> None:
    # Read as version 1 a second worker would be passed over by a reader who knows no other.
    text = two.trust_root.to_json().replace("escrow-trust-root/2", "escrow-trust-root/1")
    with pytest.raises(TrustRootMalformed):
        TrustRoot.from_json(text)


@pytest.mark.parametrize("name", ["portal/second", "worker/", "worker/Second", "worker/a/b"])
def test_only_workers_have_names(world: LedgerWorld, name: str) -> None:
    with pytest.raises(TrustRootMalformed, match="roles"):
        replace(world.trust_root, roles={**world.trust_root.roles, name: named_key(name).public})


def test_one_key_is_no_two_workers(world: LedgerWorld) -> None:
    roles = {**world.trust_root.roles, SECOND: world.key("worker").public}
    with pytest.raises(TrustRootMalformed, match="two purposes"):
        replace(world.trust_root, roles=roles)


def test_either_workers_report_holds_and_is_told_apart(two: LedgerWorld) -> None:
    for key in (two.key("worker"), named_key(SECOND)):
        checked = check_document(_issue(two, _statement(worker=key), key, key), two.trust_root)
        assert checked.key_id == key.public.key_id
        assert checked.event.key_id == key.public.key_id


def test_what_one_worker_signed_the_other_cannot_log(two: LedgerWorld) -> None:
    document = _issue(two, _statement(), two.key("worker"), named_key(SECOND))
    with pytest.raises(SignedByOtherWorker):
        check_document(document, two.trust_root)


def test_a_worker_cannot_report_in_the_others_name(two: LedgerWorld) -> None:
    first = two.key("worker")
    document = _issue(two, _statement(worker=named_key(SECOND)), first, first)
    with pytest.raises(SignedByOtherWorker):
        check_document(document, two.trust_root)


def test_a_second_worker_signs_no_receipt(two: LedgerWorld) -> None:
    key = named_key(SECOND)
    with pytest.raises(SignerInOtherRole):
        check_document(_issue(two, _statement(RECEIPT_TYPE), key, key), two.trust_root)


def test_a_paper_from_before_the_second_worker_holds_under_the_grown_root(
    world: LedgerWorld,
) -> None:
    before = world.trust_root
    grown = replace(before, roles={**before.roles, SECOND: named_key(SECOND).public})
    assert believed_root(TrustSnapshot(before), grown, ()).root == grown
    # The other way round a key came that the reader never compared.
    with pytest.raises(TrustRootUndecided):
        believed_root(TrustSnapshot(grown), before, ())
    exchanged = replace(grown, roles={**grown.roles, "worker": named_key("x").public})
    with pytest.raises(TrustRootUndecided):
        believed_root(TrustSnapshot(before), exchanged, ())
