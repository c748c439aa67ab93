"""The drill with the service off: the runbook's commands as printed, and stock programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from escrow.ground.digests import sha256_hex
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import Stream
from escrow.ledger.reading import read_stream
from escrow.operations.cli.continuity import NoContinuityCopies, export, runbook
from escrow.testing.releases import ReleaseWorld, SettledFolder
from escrow.testing.verification import A_PYTHON_PROJECT, tar_of
from escrow.vault import age
from escrow.vault.continuity.copies import (
    BadContinuityHolders,
    ContinuityFolder,
    ContinuityUnavailable,
    Holders,
)
from tests.programs import sid_program

ON_SQLITE_ALONE = True

HOLDERS = tuple(age.new_hybrid_identity() for _ in range(3))


class Continued(ReleaseWorld):
    def continuity(self, folder: Path) -> ContinuityFolder:
        listed = folder / "holders.toml"
        lines = [f'[[holder]]\nname = "a"\nrecipient = "{one.recipient}"\n' for one in HOLDERS]
        listed.write_text("k = 2\n" + "".join(lines))
        return ContinuityFolder(folder / "copies", Holders.read(listed))


class Drill:
    """What people have after the service is gone, and a shell that runs the runbook's blocks."""

    def __init__(self, folder: Path, deposit: str, agreement: str) -> None:
        self.copies, self.work = folder / "copies", folder / "work"
        self.work.mkdir()
        self.blocks = re.findall(r"```sh\n(.*?)```", (self.copies / "RUNBOOK.md").read_text(), re.S)
        self.set = {
            "PATH": f"{sid_program('age').parent}:{os.environ['PATH']}",
            "COPIES": str(self.copies),
            "PAYLOADS": str(folder / "blobs"),
            "WORK": str(self.work),
            "AGREEMENT": agreement,
            "DEPOSIT": deposit,
            "EPOCH": "1",
        }

    def run(self, block: int, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euo", "pipefail", "-c", self.blocks[block]]
        return subprocess.run(command, env=self.set | more, capture_output=True, text=True)

    def open_share(self, block: int, identity, number: int) -> None:
        key = self.work.parent / "own.key"
        key.write_text(identity.reveal() + "\n")
        done = self.run(block, KEY=str(key), NUMBER=str(number))
        assert done.returncode == 0, done.stderr


@pytest.fixture
def drill(tmp_path: Path):
    world = Continued(tmp_path)
    try:
        deposit = world.settle()
        with world.database.reading() as session:
            streams = (Stream("agreement", world.agreement), Stream("product", _product(world)))
            world.logged = [one.event for s in streams for one in read_stream(session, s)]
        world.cast_agents = [world.cast.identity(f"agent_{number}") for number in (1, 2, 3)]
    finally:
        world.close()
    # The service, its database and its key manager are gone.
    (tmp_path / "keys").rename(tmp_path / "burnt")
    made = Drill(tmp_path, deposit, world.agreement)
    made.world = world
    return made


def _product(world: ReleaseWorld) -> str:
    return str(world.do("GET", world.product_path, "vendor")["id"])


def test_holders_and_agents_open_a_deposit_without_the_service(drill: Drill) -> None:
    drill.open_share(0, HOLDERS[0], 1)
    drill.open_share(0, HOLDERS[2], 3)
    drill.open_share(1, drill.world.cast_agents[0], 1)
    drill.open_share(1, drill.world.cast_agents[2], 3)
    for block in (2, 3):
        done = drill.run(block)
        assert done.returncode == 0, done.stderr
    (opened,) = drill.work.glob("source-*")
    assert opened.read_bytes() == tar_of(A_PYTHON_PROJECT)


def test_holders_without_agents_and_one_holder_open_nothing(drill: Drill) -> None:
    drill.open_share(0, HOLDERS[0], 1)
    assert "2 are needed" in drill.run(2).stderr
    drill.open_share(0, HOLDERS[1], 2)
    done = drill.run(2)
    assert done.returncode != 0
    # All that two holders have is headers to the agents' key.
    (drill.work / "sealing.key").write_bytes((drill.work / "continuity.key").read_bytes())
    assert "no identity matched" in drill.run(3).stderr
    assert not [one for one in drill.work.glob("source-*") if one.stat().st_size]


def test_an_exchanged_payload_or_copy_is_not_opened(drill: Drill) -> None:
    for holder, agent in ((0, 0), (1, 1)):
        drill.open_share(0, HOLDERS[holder], holder + 1)
        drill.open_share(1, drill.world.cast_agents[agent], agent + 1)
    assert drill.run(2).returncode == 0
    (record,) = (drill.copies / drill.set["AGREEMENT"] / "records").glob("*/prt_*.1.age")
    kept = record.read_bytes()
    record.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    assert drill.run(3).returncode != 0
    record.write_bytes(kept)
    payload = (record.parent / "parts.txt").read_text().split()[1]
    (stored,) = Path(drill.set["PAYLOADS"]).rglob(payload)
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes() + b"x")
    assert "FAILED" in drill.run(3).stdout


def test_what_is_kept_is_logged_by_its_digest_alone(drill: Drill) -> None:
    folder = drill.copies / drill.set["AGREEMENT"]
    dealt = [one for one in drill.world.logged if one.type == "vault:continuity:dealt"]
    shares = [sha256_hex((folder / f"holders/{number}.age").read_bytes()) for number in (1, 2, 3)]
    assert [one.data["share_files_sha256"] for one in dealt] == [shares]
    (kept,) = [one for one in drill.world.logged if one.type == "vault:continuity:kept"]
    (record,) = folder.glob("records/*/prt_*.1.age")
    assert [one["sha256"] for one in kept.data["copies"]] == [sha256_hex(record.read_bytes())]


def test_the_epoch_that_follows_a_release_is_copied_too(tmp_path: Path) -> None:
    world = Continued(tmp_path)
    try:
        world.settle()
        request = world.request()
        world.act_on(request, "vendor", "consent-to-release")
        world.confirm(request, "agent_1")
        world.confirm(request, "agent_3")
        folder = tmp_path / "copies" / world.agreement
        assert len(list(folder.glob("records/*/*.2.age"))) == 1
        assert len(list(folder.glob("agents/2/*.age"))) == 3
    finally:
        world.close()


OTHERS = tuple(age.new_hybrid_identity() for _ in range(4))


class ContinuedByOthers(ReleaseWorld):
    def continuity(self, folder: Path) -> ContinuityFolder:
        return ContinuityFolder(
            folder / "copies", Holders(3, tuple(str(o.recipient) for o in OTHERS))
        )


def _opened_without_the_service(world: ReleaseWorld, folder: Path, deposit: str, holders) -> bytes:
    agents = [world.cast.identity(f"agent_{number}") for number in (1, 2, 3)]
    world.close()
    drill = Drill(folder, deposit, world.agreement)
    for number, holder in enumerate(holders, start=1):
        drill.open_share(0, holder, number)
    for number in (1, 2):
        drill.open_share(1, agents[number - 1], number)
    for block in (2, 3):
        done = drill.run(block)
        assert done.returncode == 0, done.stderr
    (opened,) = drill.work.glob("source-*")
    return opened.read_bytes()


def test_what_was_sealed_before_holders_were_named_is_copied_with_the_next_deposit(
    settled_release: SettledFolder, tmp_path: Path
) -> None:
    world = Continued.copied(settled_release, tmp_path)
    first = str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])
    world.deposit()
    opened = _opened_without_the_service(world, tmp_path, first, HOLDERS[:2])
    assert opened == tar_of(A_PYTHON_PROJECT)


def test_other_holders_get_shares_and_everything_sealed_to_their_key(
    settled_release: SettledFolder, tmp_path: Path
) -> None:
    world = Continued.copied(settled_release, tmp_path / "one")
    first = str(world.do("GET", f"{world.product_path}/deposits/newest", "vendor")["id"])
    world.deposit()
    world.close()
    of_before = SettledFolder(tmp_path / "one", world.agreement, world.tokens)
    later = ContinuedByOthers.copied(of_before, tmp_path / "two")
    later.deposit()
    opened = _opened_without_the_service(later, tmp_path / "two", first, OTHERS[:3])
    assert opened == tar_of(A_PYTHON_PROJECT)
    copies = tmp_path / "two" / "copies"
    assert not list(copies.glob(".*"))
    assert len(list(copies.glob("*/holders/*.age"))) == len(OTHERS)
    for share in copies.glob("*/holders/*.age"):
        for earlier in HOLDERS:
            with pytest.raises(EscrowError):
                age.decrypt_bytes(share.read_bytes(), [earlier])


def test_a_dealing_that_a_kill_cut_off_is_finished_or_forgotten(tmp_path: Path) -> None:
    holders = Holders(2, tuple(str(one.recipient) for one in HOLDERS))
    agreement, copies = AgreementId("agr_one"), tmp_path / "copies"
    ContinuityFolder(copies, holders).deal_key(agreement)
    left = copies / ".unfinished" / agreement
    shutil.copytree(copies / agreement, left)
    ContinuityFolder(copies, holders)
    assert not left.exists()
    (copies / ".unfinished").mkdir()
    (copies / agreement).rename(left)
    assert ContinuityFolder(copies, holders).has_key(agreement)


def test_a_disk_that_refuses_the_new_dealing_keeps_the_old_one(tmp_path: Path) -> None:
    agreement, copies = AgreementId("agr_one"), tmp_path / "copies"
    of_before = Holders(2, tuple(str(one.recipient) for one in HOLDERS))
    dealt = ContinuityFolder(copies, of_before).deal_key(agreement)
    folder = ContinuityFolder(copies, Holders(3, tuple(str(one.recipient) for one in OTHERS)))
    with pytest.raises(ContinuityUnavailable), folder.dealing(agreement):
        shutil.rmtree(copies / ".unfinished" / agreement)
    assert folder.dealt_key(agreement) == dealt


def test_copies_are_exported_again_and_again(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("ESCROW_HOME", str(tmp_path / "home"))
    with pytest.raises(NoContinuityCopies):
        export(tmp_path / "out")
    holders = Holders(2, tuple(str(one.recipient) for one in HOLDERS))
    copies = ContinuityFolder(tmp_path / "home" / "keyholder" / "continuity", holders)
    for agreement in ("agr_one", "agr_two"):
        copies.deal_key(AgreementId(agreement))
        export(tmp_path / "out")
    assert (tmp_path / "out" / "agr_two" / "holders" / "3.age").exists()
    copies.forget_agreement(AgreementId("agr_two"))
    fewer = Holders(2, tuple(str(one.recipient) for one in OTHERS[:3]))
    for number in range(4, 6):
        (tmp_path / "out" / "agr_two" / "holders" / f"{number}.age").write_bytes(b"of before")
    ContinuityFolder(tmp_path / "home" / "keyholder" / "continuity", fewer).deal_key(
        AgreementId("agr_two")
    )
    export(tmp_path / "out")
    assert len(list((tmp_path / "out" / "agr_two" / "holders").glob("*.age"))) == 3
    runbook()
    assert capsys.readouterr().out.endswith((tmp_path / "out" / "RUNBOOK.md").read_text())


def test_what_is_shredded_or_destroyed_has_no_copy_left(drill: Drill) -> None:
    agreement = AgreementId(drill.set["AGREEMENT"])
    holders = Holders(2, tuple(str(one.recipient) for one in HOLDERS))
    copies = ContinuityFolder(drill.copies, holders)
    (listed,) = (drill.copies / agreement / "records").glob("*/parts.txt")
    payload = listed.read_text().split()[1]
    deposit = listed.parent.name
    copies.forget_payloads(["0" * 64], [deposit])
    copies.forget_payloads([payload], ["dep_of_another_product"])
    assert list(listed.parent.glob("*.age"))
    copies.forget_payloads([payload], [deposit])
    copies.forget_payloads([payload], [deposit])
    assert not list(listed.parent.glob("*.age"))
    assert listed.read_text() == ""
    copies.forget_agreement(agreement)
    copies.forget_agreement(agreement)
    assert not (drill.copies / agreement).exists()


@pytest.mark.parametrize("k", (1, 2))
def test_holders_of_whom_one_could_open_or_block_are_refused(k: int, tmp_path: Path) -> None:
    listed = tmp_path / "holders.toml"
    lines = [f'[[holder]]\nrecipient = "{one.recipient}"\n' for one in HOLDERS[:2]]
    listed.write_text(f"k = {k}\n" + "".join(lines))
    with pytest.raises(BadContinuityHolders):
        Holders.read(listed)
