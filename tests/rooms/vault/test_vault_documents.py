import pytest

from escrow.vault import records
from escrow.vault.age import FileKey, parse_recipient, wrap_file_key
from escrow.vault.documents import documents_recipient, open_document_key
from escrow.vault.errors import DocumentMissing, UnwrapFailed
from escrow.vault.sealing import PayloadSealer, open_payload

LOG = b"cc -c main.c\nld main.o\n"


def _keep(session, store, keys, now, product: str = "prd_1") -> records.DocumentRow:
    file_key = FileKey.generate()
    recipient = parse_recipient(documents_recipient(session, keys, product, now))
    header = wrap_file_key(file_key, [recipient])
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(LOG)
    sealed = sealer.finish()
    row = records.DocumentRow(
        id=f"doc_{product}",
        product_id=product,
        deposit_id="dep_1",
        kind="build-log",
        disclosure_class="vendor",
        media_type="text/plain",
        header=header,
        documents_epoch=1,
        encoding=sealed.encoding,
        sha256=sealed.sha256,
        size_bytes=sealed.size_bytes,
        payload_sha256=sealed.payload_sha256,
        payload_size_bytes=sealed.payload_size_bytes,
        created_at=now,
    )
    records.add(session, row)
    return row


def test_a_document_comes_out_as_it_went_in(session, store, keys, now) -> None:
    row = _keep(session, store, keys, now)
    key = open_document_key(session, keys, row.id)
    with store.open(row.payload_sha256) as payload:
        assert b"".join(open_payload(payload, key, row.encoding)) == LOG


def test_a_product_has_one_documents_key(session, keys, now) -> None:
    first = documents_recipient(session, keys, "prd_1", now)
    assert documents_recipient(session, keys, "prd_1", now) == first
    assert documents_recipient(session, keys, "prd_2", now) != first


def test_the_key_of_another_product_does_not_open(session, store, keys, now) -> None:
    row = _keep(session, store, keys, now)
    documents_recipient(session, keys, "prd_2", now)
    own, other = (records.documents_key(session, product) for product in ("prd_1", "prd_2"))
    own.key_id, own.sealed_identity = other.key_id, other.sealed_identity
    with pytest.raises(UnwrapFailed):
        open_document_key(session, keys, row.id)


def test_a_document_that_is_not_there_is_missing(session, store, keys, now) -> None:
    with pytest.raises(DocumentMissing):
        open_document_key(session, keys, "doc_none")
    row = _keep(session, store, keys, now)
    row.documents_epoch = 2
    with pytest.raises(DocumentMissing):
        open_document_key(session, keys, row.id)
