from datetime import timedelta

from escrow.vault import records


def _lane(now, deposit: str, hours: int) -> records.LaneRow:
    return records.LaneRow(
        deposit_id=deposit,
        product_id="prd_1",
        recipient="age1…",
        signature=b"",
        key_id=f"lane-{deposit}",
        sealed_identity=b"wrapped",
        opened_at=now,
        closes_at=now + timedelta(hours=hours),
    )


def _header(now, **changes: object) -> records.HeaderRecordRow:
    values = {
        "agreement_id": "agr_1",
        "product_id": "prd_1",
        "deposit_id": "dep_1",
        "part_id": "prt_1",
        "lock": "a+b",
        "epoch": 1,
        "payload_sha256": "ab" * 32,
        "key_id": "agreement-agr_1",
        "record": b"wrapped",
        "commitment_salt": "00" * 16,
        "commitment": "cd" * 32,
        "created_at": now,
    }
    return records.HeaderRecordRow(**values | changes)


def _document(now, number: int, deposit: str = "dep_1") -> records.DocumentRow:
    return records.DocumentRow(
        id=f"doc_{number}",
        product_id="prd_1",
        deposit_id=deposit,
        kind="build-log",
        disclosure_class="vendor",
        media_type="text/plain",
        header=b"header",
        documents_epoch=1,
        encoding="zstd",
        sha256="ab" * 32,
        size_bytes=5 * 2**31,
        payload_sha256="cd" * 32,
        payload_size_bytes=1,
        created_at=now + timedelta(seconds=number),
    )


def _key(now, product: str, epoch: int) -> records.DocumentsKeyRow:
    return records.DocumentsKeyRow(
        product_id=product,
        epoch=epoch,
        recipient=f"age1pq1{product}{epoch}",
        key_id=f"documents-{product}",
        sealed_identity=b"wrapped",
        created_at=now,
    )


def test_overdue_lanes_come_oldest_first(session, now) -> None:
    records.add(session, *(_lane(now, f"dep_{hours}", hours) for hours in (72, 2, 1)))
    overdue = records.lanes_overdue(session, now + timedelta(hours=2))
    assert [row.deposit_id for row in overdue] == ["dep_1", "dep_2"]


def test_a_closed_lane_is_empty_and_no_longer_overdue(session, now) -> None:
    records.add(session, _lane(now, "dep_1", 1))
    later = now + timedelta(hours=2)
    lane = records.lane_of(session, "dep_1")
    records.mark_lane_closed(session, lane, later)
    assert (lane.sealed_identity, lane.closed_at) == (None, later)
    assert records.lanes_overdue(session, later) == []
    assert records.lane_of(session, "dep_none") is None


def test_the_newest_epochs_header_record_is_found(session, now) -> None:
    records.add(session, *(_header(now, epoch=epoch) for epoch in (2, 10, 1)))
    records.add(session, _header(now, epoch=11, part_id="prt_2"), _header(now, lock="b"))
    found = records.header_record(session, "agr_1", "dep_1", "prt_1", "a+b")
    assert found is not None
    assert found.epoch == 10
    assert records.header_record(session, "agr_2", "dep_1", "prt_1", "a+b") is None
    assert len(records.header_records_of(session, "dep_1")) == 5


def test_a_products_newest_documents_key_is_found(session, now) -> None:
    records.add(session, *(_key(now, "prd_1", epoch) for epoch in (1, 3, 2)))
    records.add(session, _key(now, "prd_2", 9))
    newest = records.documents_key(session, "prd_1")
    assert newest is not None
    assert newest.epoch == 3
    assert records.documents_key_of_epoch(session, "prd_1", 2).epoch == 2
    assert records.documents_key(session, "prd_3") is None


def test_a_deposits_documents_come_oldest_first(session, now) -> None:
    records.add(session, _document(now, 2), _document(now, 1), _document(now, 3, "dep_2"))
    assert [row.id for row in records.documents_of(session, "dep_1")] == ["doc_1", "doc_2"]
    assert records.document_by_id(session, "doc_3").size_bytes == 5 * 2**31
    assert records.document_by_id(session, "doc_4") is None
