import json

import pytest

from builders.errors import EngineUnavailable, SandboxUnsafe
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.checking import check_document
from escrow.testing.runners import build_errs, build_fails
from escrow.testing.verification import (
    A_PYTHON_PROJECT,
    AGREEMENT,
    VerificationWorld,
)
from escrow.verification.documents import read_report
from escrow.verification.errors import HeadersNotWritten
from escrow.verification.examinations import ATTEMPTS_MAX
from escrow.verification.log import log_folder, read_live_log

DOWN = EngineUnavailable("No engine answers.", "Start it.")


def test_a_deposit_that_builds_passes_and_renews_the_badge(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    row = world.verify(deposit_id)
    assert (row.state, row.verdict, row.level, row.attempt) == ("done", "pass", "build", 1)
    assert world.report(deposit_id).renews_badge
    assert world.keyholder.closed == [deposit_id]


def test_every_step_is_an_event(world: VerificationWorld) -> None:
    world.verify(world.sealed_deposit())
    product = [event for event in world.events() if event != "verification:report:signed"]
    assert product == [
        "verification:examination:begun",
        "verification:inventory:begun",
        "verification:trial-build:begun",
        "verification:trial-build:finished",
        "verification:documents:sealed",
        "verification:examination:finished",
    ]
    assert world.events("report") == ["verification:report:signed"] * 2


def test_a_report_of_each_class_is_checked_offline(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    row = world.report(deposit_id, "beneficiary", AGREEMENT)
    checked = check_document(json.dumps(row.document), world.ledger.trust_root)
    assert checked.facts()["verdict"] == "pass"
    vendor = read_report(world.report(deposit_id), world.blobs, world.keyholder, world.database)
    again = check_document(json.dumps(vendor), world.ledger.trust_root)
    assert again.facts()["level_reached"] == "build"


def test_beneficiary_agent_and_auditor_share_one_statement(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    rows = [world.report(deposit_id, who, AGREEMENT) for who in ("beneficiary", "agent", "auditor")]
    assert len({row.statement_sha256 for row in rows}) == 1
    assert rows[0].statement_sha256 != world.report(deposit_id).statement_sha256


def test_manifest_findings_kit_log_and_report_are_sealed(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    documents = world.documents(deposit_id)
    assert set(documents) == {"manifest", "findings", "kit", "log", "report"}
    assert b"building\n" in documents["log"]
    assert b"ledger.py" in documents["manifest"]
    assert not list((world.scratch / "logs").iterdir())


def test_no_word_of_the_source_stands_in_the_open(world: VerificationWorld) -> None:
    canary = b"canary-0451"
    deposit_id = world.sealed_deposit({**A_PYTHON_PROJECT, "canary-0451.py": canary})
    world.runner.build = build_fails
    world.verify(deposit_id)
    world.database.close()
    stored = [path for path in world.ledger.folder.rglob("*") if path.is_file()]
    assert stored
    assert not [path for path in stored if canary in path.read_bytes()]
    assert canary in world.documents(deposit_id)["manifest"]


def test_a_build_that_fails_is_the_vendors_to_mend(world: VerificationWorld) -> None:
    world.runner.build = build_fails
    deposit_id = world.sealed_deposit()
    row = world.verify(deposit_id)
    assert (row.verdict, row.level, row.reason) == ("fail", "inventory", None)
    assert "E-BUILD-HEADER-MISSING" in world.codes(deposit_id)
    report = SignedDocument.from_json(world.documents(deposit_id)["report"].decode())
    assert b"The header 'zlib.h' is not there" in report.envelope.payload


def test_it_waits_for_the_lasting_headers(world: VerificationWorld) -> None:
    deposit_id = world.deposit()
    with pytest.raises(HeadersNotWritten):
        world.examiner.queue(deposit_id)
    world.write_headers(deposit_id)
    assert world.verify(deposit_id).verdict == "pass"


def test_a_broken_engine_rests_and_leaves_a_continuation(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.problem = DOWN
    assert world.examine(deposit_id) == "resting"
    row = world.examination(deposit_id)
    assert (row.state, row.verdict, row.attempt) == ("retrying", None, 1)
    assert world.jobs.keys == [f"verify-{deposit_id}:2"]
    world.runner.problem = None
    assert world.verify(deposit_id).verdict == "pass"


def test_a_vendor_reads_that_the_sandbox_tests_itself_first(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.is_proven, world.runner.problem = False, DOWN
    world.examine(deposit_id)
    folder = log_folder(world.scratch, world.examination(deposit_id).id)
    assert b"the sandbox tests itself before anything" in read_live_log(folder).data
    world.runner.is_proven, world.runner.problem = True, None
    world.examine(deposit_id)
    assert world.documents(deposit_id)["log"].count(b"the sandbox tests itself") == 1


def test_our_error_becomes_a_verdict_only_after_the_last_attempt(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.build = build_errs
    words = [world.examine(deposit_id) for _ in range(ATTEMPTS_MAX)]
    assert words == ["resting"] * (ATTEMPTS_MAX - 1) + ["concluded"]
    row = world.verify(deposit_id)
    assert (row.verdict, row.reason) == ("error", "engine-unavailable")
    report = world.report(deposit_id)
    assert not report.renews_badge
    assert not report.meets_cadence


def test_an_unsafe_sandbox_is_named(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.problem = SandboxUnsafe("fork bomb", "it ran")
    for _ in range(ATTEMPTS_MAX):
        world.examine(deposit_id)
    assert world.examination(deposit_id).reason == "sandbox-unsafe"


def test_a_damaged_payload_is_an_alarm_and_never_retried(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    for blob in (world.ledger.folder / "blobs" / "objects").rglob("*"):
        if blob.is_file():
            blob.chmod(0o600)
            content = bytearray(blob.read_bytes())
            content[40] ^= 1
            blob.write_bytes(content)
    assert world.examine(deposit_id) == "concluded"
    row = world.examination(deposit_id)
    assert (row.verdict, row.reason, row.attempt) == ("error", "stored-bytes-damaged", 1)


def test_a_closed_lane_is_not_tested(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.keyholder.close_lane(deposit_id)
    row = world.verify(deposit_id)
    assert (row.verdict, row.reason) == ("not-tested", "lane-closed")


def test_a_newer_push_to_the_same_branch_overtakes(world: VerificationWorld) -> None:
    first, second = world.sealed_deposit(), world.sealed_deposit()
    row = world.verify(first)
    assert (row.verdict, row.reason, row.state) == ("not-tested", "superseded", "done")
    assert world.verify(second).verdict == "pass"


def test_nothing_is_passed_over_for_more_than_a_day(world: VerificationWorld) -> None:
    first, _ = world.sealed_deposit(), world.sealed_deposit()
    world.clock.move(24 * 3600)
    assert world.verify(first).verdict == "pass"


def test_a_tag_is_not_overtaken_by_a_branch(world: VerificationWorld) -> None:
    tag = world.deposit(refs=("refs/tags/v1",))
    world.write_headers(tag)
    world.sealed_deposit()
    assert world.verify(tag).verdict == "pass"


def test_a_required_material_that_is_missing_fails_the_inventory(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit({}, {"data/dump": b"rows"})
    row = world.verify(deposit_id)
    assert (row.verdict, row.level) == ("fail", "integrity")
    assert "E-MATERIAL-MISSING" in world.codes(deposit_id)


def test_carried_source_is_cited_and_not_opened_again(world: VerificationWorld) -> None:
    first = world.sealed_deposit()
    world.verify(first)
    second = world.sealed_deposit({}, {"data/dump": b"rows"}, [world.part_id(first)])
    row = world.verify(second)
    assert (row.verdict, row.reason) == ("not-tested", "carried-forward")
    assert "E-MATERIAL-CARRIED" in world.codes(second)
    assert "E-UNPACK-NO-SOURCE" not in world.codes(second)


def test_credentials_are_never_opened(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit(A_PYTHON_PROJECT, {"credentials/keys": b"secret"})
    assert world.verify(deposit_id).verdict == "pass"
    assert b"credentials" not in world.documents(deposit_id)["manifest"]
    assert "E-MATERIAL-CREDENTIALS-UNOPENED" in world.codes(deposit_id)


def test_an_agreement_made_later_has_no_report_of_an_earlier_deposit(
    world: VerificationWorld,
) -> None:
    deposit_id = world.deposit()
    world.write_headers(deposit_id, "agr_other")
    world.verify(deposit_id)
    with pytest.raises(ValueError, match="no such report"):
        world.report(deposit_id, "beneficiary", AGREEMENT)
    assert world.report(deposit_id).verdict == "pass"
