"""Is a fetched age file the one that the keyholder made? Answered by the release's certificate.

Anybody can write a header to a recipient whose key is public, and a payload can be made that opens
under two file keys. So the certificate names the digest of each header and payload, and a fetched
file has to be exactly these two, one after the other. What opens from it then is what the file key
opens to which the keyholder committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from escrow.ground.errors import Tampered
from escrow.operations.cli.sealed_files import digests_of_age_file


class FileNotCertified(Tampered):
    """A fetched file is not the one that the release's certificate names."""

    code = "cli.file-not-certified"


def certified_digests(
    certificate: Mapping[str, Any] | None, request_id: str, trust_root: Path | None
) -> Mapping[str, str]:
    """Return the digests that the certificate of this release names, once it is checked.

    Args:
        certificate: as the service sent it.
        request_id: the release that was asked for.
        trust_root: file of the public keys; None looks at the usual place.

    Raises:
        NoTrustRoot: there are no keys to check it by.
        FileNotCertified: it is another document.
        DocumentMalformed, …: whatever :func:`check_document` finds wrong.
    """
    import json

    from escrow.evidence.checking import check_document
    from escrow.evidence.statements import RELEASE_TYPE
    from escrow.operations.cli.check import read_trust_root

    root = read_trust_root(trust_root)
    checked = check_document(json.dumps(certificate), root)
    request = checked.predicate.get("request")
    if checked.statement.predicate_type != RELEASE_TYPE or not isinstance(request, Mapping):
        raise _not_certified("The document beside the files is no release certificate.")
    if request.get("id") != request_id:
        raise _not_certified("The certificate beside the files is that of another release.")
    return dict(checked.statement.subjects)


def check_handed_over(path: Path, file_id: str, digests: Mapping[str, str]) -> None:
    """Return when a file consists of the header and the payload that the certificate names.

    Raises:
        FileNotCertified: it does not.
        HeaderMalformed: it does not begin with an age header.
    """
    header, payload = digests_of_age_file(path)
    found = {f"header/{file_id}": header, f"payload/{file_id}": payload}
    for name, digest in found.items():
        if digests.get(name) != digest:
            raise _not_certified(f"{path.name} is not what was released: its {name} differs.")


def _not_certified(why: str) -> FileNotCertified:
    return FileNotCertified(
        why, "Do not open it; keep it, and show it and the certificate to operator and agents."
    )
