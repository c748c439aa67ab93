"""A worker that dies anywhere leaves one report, no plaintext, and nothing that holds a place."""

import pytest

from builders.orders import TrialBuildPlan, TrialBuildResult
from escrow.testing.runners import build_passes
from escrow.testing.verification import VerificationWorld
from escrow.verification.examinations import ATTEMPTS_MAX
from escrow.verification.runner import OnLog


class Killed(BaseException):
    """As SIGKILL: no handler of ours runs on it."""


def killed(plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
    raise Killed


def test_killed_in_the_build_it_is_taken_up_again(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.build = killed
    with pytest.raises(Killed):
        world.examine(deposit_id)
    assert world.examination(deposit_id).state == "building"
    world.runner.build = build_passes
    row = world.verify(deposit_id)
    assert (row.verdict, row.attempt) == ("pass", 2)
    assert world.events("examination:restarted") == ["verification:examination:restarted"]
    assert len(world.events("report:signed")) == 2


def test_a_deposit_that_kills_every_worker_ends_as_our_error(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.build = killed
    for _ in range(ATTEMPTS_MAX):
        with pytest.raises(Killed):
            world.examine(deposit_id)
    assert world.examine(deposit_id) == "concluded"
    row = world.examination(deposit_id)
    assert (row.verdict, row.reason) == ("error", "service-failed")


def test_a_step_that_runs_again_after_its_end_changes_nothing(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.verify(deposit_id)
    before = world.events()
    assert world.examine(deposit_id) == "concluded"
    world.verify(deposit_id)
    assert world.events() == before
    assert world.runner.open_benches == 0


def test_an_attempt_that_was_taken_over_writes_nothing(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()

    def freeze_while_another_worker_finishes(
        plan: TrialBuildPlan, on_log: OnLog
    ) -> TrialBuildResult:
        world.runner.build = build_passes
        world.verify(deposit_id)
        return build_passes(plan, on_log)

    world.runner.build = freeze_while_another_worker_finishes
    assert world.examine(deposit_id) == "taken-over"
    assert world.examination(deposit_id).attempt == 2
    assert len(world.events("report:signed")) == 2
    assert world.events("trial-build:finished") == ["verification:trial-build:finished"]


def test_killed_between_signing_and_publishing_the_same_report_is_published(
    world: VerificationWorld,
) -> None:
    deposit_id = world.sealed_deposit()
    world.examine(deposit_id)
    signed = world.report(deposit_id)
    assert signed.proof is None
    world.verify(deposit_id)
    published = world.report(deposit_id)
    assert published.proof is not None
    assert published.statement_sha256 == signed.statement_sha256


def test_every_attempt_first_sweeps_what_the_last_one_left(world: VerificationWorld) -> None:
    deposit_id = world.sealed_deposit()
    world.runner.build = killed
    with pytest.raises(Killed):
        world.examine(deposit_id)
    world.runner.build = build_passes
    world.examine(deposit_id)
    assert world.runner.swept == [world.examination(deposit_id).id] * 2
    assert not list(world.scratch.glob("tmp*"))
