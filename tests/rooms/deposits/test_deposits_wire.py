"""The bytes of a push, read and written."""

from __future__ import annotations

import pytest

from escrow.deposits.errors import PushMalformed, PushTooOld
from escrow.deposits.git_wire import (
    FLUSH,
    MAX_BAND_BYTES,
    ZERO_ID,
    AnswerReader,
    CommandReader,
    PacketReader,
    PushCommands,
    PushReport,
    RefUpdate,
    advertisement,
    band,
    packet,
    remote_lines,
)

ONE = "1" * 40
MAIN = RefUpdate(ZERO_ID, ONE, "refs/heads/main")
HEAD = packet(f"{ZERO_ID} {ONE} refs/heads/main\0 report-status side-band-64k evil=1\n".encode())


def read(data: bytes, step: int) -> tuple[PushCommands | None, bytes]:
    reader, at = CommandReader(), 0
    while at < len(data):
        commands = reader.feed(data[at : at + step])
        at += step
        if commands:
            return commands, reader.rest + data[at:]
    return None, reader.rest


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_commands_however_they_are_cut(step: int) -> None:
    commands, rest = read(HEAD + FLUSH + b"PACK...", step)
    assert commands is not None
    assert commands.updates == (MAIN,)
    assert commands.capabilities >= {"report-status", "side-band-64k"}
    assert rest == b"PACK..."


def test_the_probe_is_known() -> None:
    commands, _ = read(FLUSH, 1)
    assert commands is not None
    assert commands.is_probe


def test_shallow_lines_are_noted() -> None:
    commands, _ = read(packet(f"shallow {ONE}\n".encode()) + HEAD + FLUSH, 100)
    assert commands is not None
    assert commands.shallow == (ONE,)


def test_git_is_given_only_what_we_know() -> None:
    commands, _ = read(HEAD + FLUSH, 100)
    assert commands is not None
    encoded = commands.encode()
    assert b"evil" not in encoded
    assert read(encoded, 100)[0] == PushCommands(
        (MAIN,), frozenset({"report-status", "side-band-64k", "object-format=sha1"})
    )


@pytest.mark.parametrize(
    "data",
    [
        b"zzzz",
        b"0001",
        b"0003",
        b"fff5",
        packet(b"hello"),
        packet(b"push-cert\0 report-status"),
        packet(f"{ONE} {ONE}".encode()),
        packet(f"{ONE[:-1]}x {ONE} refs/heads/main".encode()),
    ],
)
def test_what_is_no_command_list(data: bytes) -> None:
    with pytest.raises(PushMalformed):
        read(data + FLUSH, 100)


def test_a_command_list_without_an_end() -> None:
    reader = CommandReader()
    with pytest.raises(PushMalformed, match="too long"):
        for _ in range(100_000):
            reader.feed(HEAD)


def test_a_client_without_report_is_refused() -> None:
    with pytest.raises(PushTooOld):
        PushCommands((MAIN,), frozenset({"side-band-64k"})).check_answerable()


def answer(*reports: bytes) -> bytes:
    return band(2, b"Resolving deltas\n") + b"".join(band(1, r) for r in reports) + FLUSH


def test_progress_passes_and_the_report_stays() -> None:
    report = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + FLUSH
    reader = AnswerReader()
    data = answer(b"", report[:9], report[9:])
    passed = b"".join(reader.feed(data[at : at + 5]) for at in range(0, len(data), 5))
    assert b"Resolving deltas" in passed
    assert b"unpack" not in passed
    assert PushReport.parse(reader.report) == PushReport("ok", {"refs/heads/main": None})


def test_a_refusal_is_read_as_one() -> None:
    lines = packet(b"unpack index-pack abnormal exit\n") + packet(b"ng refs/heads/a unpacker error")
    report = PushReport.parse(lines + FLUSH)
    assert not report.is_accepted
    assert report.refs == {"refs/heads/a": "unpacker error"}


def test_no_report_is_no_acceptance() -> None:
    with pytest.raises(PushMalformed):
        PushReport.parse(b"")


def test_a_report_is_written_as_it_is_read() -> None:
    report = PushReport("ok", {"refs/heads/a": None, "refs/heads/b": "not\nthis\x1b one"})
    reader = AnswerReader()
    reader.feed(report.encode())
    assert PushReport.parse(reader.report).refs == {
        "refs/heads/a": None,
        "refs/heads/b": "not this  one",
    }


def test_long_reports_are_cut_into_packets() -> None:
    refs = {f"refs/heads/{i:06}": None for i in range(5000)}
    data = PushReport("ok", refs).encode()
    sizes = [len(line or b"") for line in PacketReader().feed(data)]
    assert max(sizes) <= MAX_BAND_BYTES + 1
    assert len(sizes) > 2


def test_remote_lines_cannot_forge_others() -> None:
    assert b"a remote: b" in remote_lines("a\nremote: b")


def test_the_advertisement_is_of_an_empty_repository() -> None:
    text = advertisement("escrow/1")
    assert text.startswith(b"001f# service=git-receive-pack\n0000")
    assert f"{ZERO_ID} capabilities^{{}}".encode() in text
    assert b"delete-refs" not in text
    assert b"push-options" not in text
