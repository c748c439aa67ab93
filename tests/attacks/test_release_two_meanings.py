"""One payload, two keys, two meanings: a portal that was taken over keeps a second file key back.

The cipher does not commit to its key, so such a payload exists and stock programs open it to either
meaning. That nobody but its maker ever opens the second is due to the commitment, the header's MAC
and the plaintext's digest, and at a release to the certificate, which names each header.
"""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest

from escrow.deposits import intake
from escrow.deposits import records as deposits
from escrow.evidence.errors import EnvelopeSignatureWrong
from escrow.ground.digests import Sha256Hex
from escrow.operations.cli.handed_over import (
    FileNotCertified,
    certified_digests,
    check_handed_over,
)
from escrow.testing.verification import A_PYTHON_PROJECT
from escrow.vault import records as vault
from escrow.vault.age import (
    FileKey,
    new_x25519_identity,
    open_header,
    parse_recipient,
    wrap_file_key,
    write_identity_file,
)
from escrow.vault.age_format import render_mac_input, render_mac_line
from escrow.vault.errors import CommitmentBroken, HeaderForged
from escrow.vault.sealing import open_payload
from tests.attacks.two_keys import (
    TwoMeanings,
    make_two_meanings,
    names_in_tar,
    names_in_zip,
)

ON_SQLITE_ALONE = True

HARMLESS, OTHER = 0, 1


@pytest.fixture(scope="module")
def two() -> TwoMeanings:
    return make_two_meanings(A_PYTHON_PROJECT, ("other.py", b"print('other')\n"))


@pytest.fixture
def world(release_world):
    return release_world


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _smuggle(world, two: TwoMeanings, *, claimed: int, given: int) -> str:
    """Have the portal seal the payload: it claims one meaning and gives the key of one."""
    draft = world.draft()
    world.upload(draft, "source/core", "tar", b"whatever was sent")
    staging = world.blobs.stage()
    staging.append(two.payload)
    digest = Sha256Hex(_digest(two.payload))
    staging.commit(digest)
    plain = two.plains[claimed]
    with world.database.writing() as session:
        (row,) = deposits.parts_of(session, draft)
        lane = parse_recipient(vault.lane_of(session, draft).recipient)
        row.payload_sha256, row.payload_size_bytes = digest, len(two.payload)
        row.sha256, row.size_bytes = _digest(plain), len(plain)
        row.encoding, row.lane_header = "identity", wrap_file_key(two.keys[given], [lane])
        deposits.add(session, row)
    world.do("POST", f"/deposits/{draft}/finish", "vendor")
    return draft


def _verdict(world, deposit: str) -> str:
    world.verify(deposit)
    return str(world.do("GET", f"/deposits/{deposit}", "vendor")["verdict"])


def test_such_a_payload_exists_and_stock_age_opens_both_meanings(two, tmp_path: Path) -> None:
    identity = new_x25519_identity()
    write_identity_file(tmp_path / "key", identity, None)
    opened = []
    for key in two.keys:
        file = wrap_file_key(key, [identity.recipient]) + two.payload
        command = ["age", "-d", "-i", tmp_path / "key"]
        opened.append(subprocess.run(command, input=file, capture_output=True, check=True).stdout)
        assert opened[-1] == b"".join(open_payload([two.payload], key, "identity"))
    assert tuple(opened) == two.plains
    assert "ledger.py" in names_in_tar(opened[HARMLESS])
    assert names_in_zip(opened[OTHER]) == ["other.py"]


def test_no_header_holds_two_keys(two) -> None:
    """Two stanzas for one lane: the MAC is that of the first, whichever it is, or nobody's."""
    lane = new_x25519_identity()
    for first, second in (two.keys, two.keys[::-1]):
        covered = render_mac_input([lane.recipient.wrap(first), lane.recipient.wrap(second)])
        own = covered + render_mac_line(first.header_mac(covered))
        assert open_header(own, [lane]) == first
        with pytest.raises(HeaderForged):
            open_header(covered + render_mac_line(second.header_mac(covered)), [lane])


def test_the_honest_key_passes(world, two) -> None:
    deposit = _smuggle(world, two, claimed=HARMLESS, given=HARMLESS)
    assert _verdict(world, deposit) == "pass"


def test_the_key_of_the_other_meaning_is_given(world, two) -> None:
    """It authenticates; it is not what the receipt names."""
    deposit = _smuggle(world, two, claimed=HARMLESS, given=OTHER)
    assert _verdict(world, deposit) == "error"


def test_any_other_key_is_given(world, monkeypatch) -> None:
    """By the portal's own code, as if it had a mistake or was changed."""
    honest = intake.wrap_file_key
    monkeypatch.setattr(
        intake, "wrap_file_key", lambda _, recipients: honest(FileKey.generate(), recipients)
    )
    assert _verdict(world, world.deposit()) == "error"


def test_the_key_is_exchanged_after_the_acknowledgement(world, two) -> None:
    deposit = _smuggle(world, two, claimed=HARMLESS, given=HARMLESS)
    with world.database.writing() as session:
        (row,) = deposits.parts_of(session, deposit)
        lane = parse_recipient(vault.lane_of(session, deposit).recipient)
        row.lane_header = wrap_file_key(two.keys[OTHER], [lane])
        deposits.add(session, row)
    with pytest.raises(CommitmentBroken):
        world.keyholder.open_for_verification(deposit)
    assert _verdict(world, deposit) == "error"


@pytest.fixture
def released(world, two) -> tuple[str, dict, str]:
    """A deposit that was verified as harmless was released; the portal still has the other key."""
    deposit = _smuggle(world, two, claimed=HARMLESS, given=HARMLESS)
    world.verify(deposit)
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    world.confirm(request, "agent_2")
    index = world.do("GET", f"/requests/{request}/release", "beneficiary")
    files = [one for each in index["deposits"] for one in each["files"]]
    (file,) = [one for one in files if one["sha256"] == _digest(two.plains[HARMLESS])]
    return request, index["certificate"], file["id"]


def test_a_header_to_the_other_meaning_is_handed_over(world, two, released, tmp_path) -> None:
    """Everybody can write a header to the recipient; only the keyholder's is certified."""
    request, certificate, file_id = released
    root, fetched = tmp_path / "root", tmp_path / "fetched.age"
    root.write_text(world.ledger.trust_root.to_json())
    digests = certified_digests(certificate, request, root)
    fetched.write_bytes(world.fetch(request, file_id).content)
    check_handed_over(fetched, file_id, digests)

    recipient = world.cast.identity("beneficiary_primary").recipient
    fetched.write_bytes(wrap_file_key(two.keys[OTHER], [recipient]) + two.payload)
    with pytest.raises(FileNotCertified):
        check_handed_over(fetched, file_id, digests)
    # Nor another release's certificate, nor one that was changed to name that header.
    with pytest.raises(FileNotCertified):
        certified_digests(certificate, "req_other", root)
    envelope = certificate["bundle"]["dsseEnvelope"]
    statement = base64.b64decode(envelope["payload"]).decode()
    forged = statement.replace(digests[f"header/{file_id}"], _digest(fetched.read_bytes()))
    assert forged != statement
    envelope["payload"] = base64.b64encode(forged.encode()).decode()
    with pytest.raises(EnvelopeSignatureWrong):
        certified_digests(certificate, request, root)
