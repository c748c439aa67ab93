"""What a portal that was taken over writes: with its role key, and with its rights to rows."""

from __future__ import annotations

from agreements.parsing import parse_agreement
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream
from escrow.register import records as register
from escrow.register.governing import ACCEPTED, FILED, IN_FORCE
from escrow.register.subjects import acceptance_subject
from escrow.vault import records as vault

AGENTS = ("agent_1", "agent_2", "agent_3")
FORGERS = ("forger_1", "forger_2", "forger_3")


def exchanged(world, *pairs: tuple[str, str]) -> str:
    """Return the agreement's text with people's keys exchanged for those of others."""
    text, cast = world.cast.text, world.cast
    for old, new in pairs:
        text = text.replace(str(cast.signing_key(old).public), str(cast.signing_key(new).public))
        text = text.replace(str(cast.identity(old).recipient), str(cast.identity(new).recipient))
    assert text != cast.text
    return text


def log_as_portal(world, kind: str, data: dict[str, object]) -> None:
    event = NewEvent(Stream("agreement", world.agreement), kind, "mem_taken", data)
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)


def file_as_portal(world, text: str) -> dict[str, object]:
    """File a text as version 2; nobody of the agreement knows of it."""
    terms = parse_agreement(text)
    data: dict[str, object] = {"version": 2, "text_sha256": terms.text_sha256}
    with world.database.writing() as session:
        before = register.newest_version(session, AgreementId(world.agreement))
        names = before.model_dump() | data | {"text": text, "in_force_at": None}
        register.add(session, register.VersionRow(**names))
        for table, columns in (
            ("agreement_party", "role, organisation_id, member_id"),
            ("agreement_product", "product_id"),
        ):
            session.connection().exec_driver_sql(
                f"INSERT INTO {table} (agreement_id, version, {columns}) "
                f"SELECT agreement_id, 2, {columns} FROM {table} WHERE version = 1"
            )
    log_as_portal(world, FILED, data)
    return data


def call_in_force(world, text: str, *signers: str) -> dict[str, object]:
    """File a text, have the forgers accept it, and say that it came into force."""
    data = file_as_portal(world, text)
    subject = acceptance_subject(world.agreement, 2, str(data["text_sha256"]))
    for who in signers:
        log_as_portal(
            world, ACCEPTED, {**data, "act": world.signed(who, "accept-agreement", subject)}
        )
    log_as_portal(world, IN_FORCE, data)
    with world.database.writing() as session:
        row = register.newest_version(session, AgreementId(world.agreement))
        register.write_in_force(session, row, world.clock.now())
    world.keyholder.sequence()
    return data


def of_forgers(world) -> str:
    return exchanged(world, *zip(AGENTS, FORGERS, strict=True))


def count_keys(world, epoch: int) -> None:
    """Say in the row that an epoch's canary was opened."""
    with world.database.writing() as session:
        row = vault.epoch_of(session, AgreementId(world.agreement), epoch)
        vault.mark_canary_opened(session, row, world.clock.now())
