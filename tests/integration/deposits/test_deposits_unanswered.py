"""A push that is stored and not acknowledged: what git is told, and what a second one does."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from escrow.deposits.drafts import StoredDeposit
from escrow.deposits.intake import Intake
from escrow.deposits.push_intake import GitIntake
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.testing.gits import TrialRepository
from escrow.testing.intake import IntakeWorld, StandingAgreement

NO_WORD = "(remote failed to report status)"


def test_git_is_told_neither_yes_nor_no(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    pushed = repository.push(url, token)
    assert not pushed.is_accepted
    assert NO_WORD in pushed.text
    assert "[remote rejected]" not in pushed.text
    assert "remote: Deposit 1 is stored and logged; its receipt waits" in pushed.text
    assert "remote: Follow    https://escrow.example/acme/engine/deposits/1" in pushed.text
    assert "not stored" not in pushed.text


def test_pushed_again_the_same_deposit_is_acknowledged(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    assert not repository.push(url, token).is_accepted
    waiting = repository.push(url, token)
    assert "remote: Deposit 1 is stored and logged" in waiting.text
    world.keyholder.is_out_for_headers = False
    again = repository.push(url, token)
    assert again.is_accepted, again.text
    assert "logged as deposit 1 of acme/engine, which came with an earlier push" in again.text
    assert [(one.number, one.receipt_json is not None) for one in world.sealed()] == [(1, True)]


def test_so_it_is_after_the_receipt_came_by_itself(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    repository.push(url, token)
    world.keyholder.is_out_for_headers = False
    assert world.intake.complete_unfinished() == 0
    assert repository.push(url, token).is_accepted
    assert len(world.sealed()) == 1
    # It is acknowledged now; whoever pushes the same once more means a new deposit.
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [2, 1]


def test_another_commit_does_not_mean_the_one_that_waits(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    repository.push(url, token)
    world.keyholder.is_out_for_headers = False
    repository.commit({"README": "newer\n"})
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [2, 1]
    assert world.intake.complete_unfinished() == 0


def test_an_agreement_that_came_meanwhile_is_served_by_a_deposit_of_its_own(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    repository.push(url, token)
    world.keyholder.is_out_for_headers = False
    world.agreements.append(StandingAgreement(AgreementId("agr_2")))
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [2, 1]


def test_a_push_of_another_repository_in_between_changes_nothing(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    repository.push(url, token)
    world.keyholder.is_out_for_headers = False
    tools = url.replace("http://", f"http://x:{token}@") + "/git/acme/engine/tools.git"
    assert repository.run("push", tools, "main").returncode == 0
    again = repository.push(url, token)
    assert "logged as deposit 1 of acme/engine" in again.text
    assert [deposit.number for deposit in world.sealed()] == [2, 1]


def test_a_deposit_whose_lane_is_lost_holds_nobody_up(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.keyholder.is_out_for_headers = True
    repository.push(url, token)
    world.keyholder.is_out_for_headers = False
    world.keyholder.close_lane(DepositId(world.sealed()[0].id))
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [2, 1]


class BrokenSigner:
    """A key that fails once the deposit is there."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("the key cannot be read")


def test_a_fault_of_ours_behind_the_transaction_is_not_called_not_stored(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    whole = world.intake.receipt_signer
    object.__setattr__(world.intake, "receipt_signer", BrokenSigner())
    pushed = repository.push(url, token)
    assert "its receipt cannot be made yet" in pushed.text
    assert NO_WORD in pushed.text
    object.__setattr__(world.intake, "receipt_signer", whole)
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [1]


class LostAnswer(Intake):
    """An intake whose database commits, and fails before it can say so."""

    is_away = False

    def seal(self, deposit_id: DepositId, actor: str) -> StoredDeposit:
        super().seal(deposit_id, actor)
        raise ConnectionError("the line to the database broke")

    def abandon(self, deposit_id: DepositId, actor: str) -> None:
        if self.is_away:
            raise ConnectionError("the database is away")
        super().abandon(deposit_id, actor)


def with_lost_answer(world: IntakeWorld) -> LostAnswer:
    fields = {one.name: getattr(world.intake, one.name) for one in dataclasses.fields(Intake)}
    return LostAnswer(**fields)


def test_a_transaction_whose_answer_was_lost_is_looked_up(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    world.reception.intake = GitIntake(with_lost_answer(world), world.blobs)
    pushed = repository.push(url, token)
    assert pushed.is_accepted, pushed.text
    assert [deposit.number for deposit in world.sealed()] == [1]


def test_where_it_cannot_be_looked_up_git_is_told_neither(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    whole, broken = world.reception.intake, with_lost_answer(world)
    object.__setattr__(broken, "is_away", True)
    world.reception.intake = GitIntake(broken, world.blobs)
    pushed = repository.push(url, token)
    assert "could not be found out" in pushed.text
    assert NO_WORD in pushed.text
    world.reception.intake = whole
    assert repository.push(url, token).is_accepted
    assert [deposit.number for deposit in world.sealed()] == [1]


def test_a_client_who_left_was_not_told(
    world: IntakeWorld, url: str, token: str, repository: TrialRepository
) -> None:
    held = threading.Event()
    seal = world.keyholder.seal_lasting_headers

    def waiting(deposit_id: DepositId) -> None:
        assert held.wait(30)
        seal(deposit_id)

    world.keyholder.seal_lasting_headers = waiting  # type: ignore[method-assign]
    address = url.replace("http://", f"http://x:{token}@") + "/git/acme/engine/core.git"
    git = subprocess.Popen(
        ["git", "-C", str(repository.folder), "push", "--quiet", address, "main"],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(world.sealed()) == 1)
    os.killpg(git.pid, signal.SIGKILL)
    git.wait()
    held.set()
    wait_until(lambda: world.sealed()[0].receipt_json is not None and not world.leftovers())
    again = repository.push(url, token)
    assert "logged as deposit 1 of acme/engine, which came with an earlier push" in again.text
    assert len(world.sealed()) == 1


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
