"""What can go wrong with a signed document; one class for each question of the check."""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, Tampered, Unavailable

_DO_NOT_RELY = "Do not rely on it; fetch the document again, and tell the operator if it stays so."


class EnvelopeMalformed(InvalidInput):
    """A text that should be a DSSE envelope is none."""

    code = "evidence.envelope-malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Send the envelope as it was made, one JSON object (DSSE v1).")


class ActMalformed(InvalidInput):
    """An envelope holds no act of a party in the form of an act."""

    code = "evidence.act-malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Make the act with 'escrow' of this or a later version again.")


class ActByOtherKey(InvalidInput):
    """An act was made with another key than the one that is pinned for the person."""

    code = "evidence.act-by-other-key"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Sign with the key that stands in the agreement for this person.")


class DocumentMalformed(InvalidInput):
    """Is this a signed document? No (question 1)."""

    code = "evidence.document-malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Give the whole file as it was received, a .json of this service.")


class TrustRootMalformed(InvalidInput):
    """A text that should be a trust root is none."""

    code = "evidence.trust-root-malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Give the trust root file that was handed over at acceptance.")


class DocumentNotLogged(InvalidInput):
    """Does the document carry its proof from the ledger? Not yet (question 5)."""

    code = "evidence.document-not-logged"

    def __init__(self) -> None:
        super().__init__(
            "The document carries no proof that it stands in the ledger.",
            "Fetch it again in a minute; a final document always carries its proof.",
        )


class TrustRootUndecided(Unavailable):
    """Which public keys are to be believed? Nobody here can tell."""

    code = "evidence.trust-root-undecided"

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason,
            "Give the trust root that you were handed at acceptance (--trust-root), or the "
            "agreement's text (--agreement): its agents vouch for the keys in the file.",
        )


class EvidenceFails(Tampered):
    """Root of every answer "no" to a question about a signed document."""

    code = "evidence.fails"

    def __init__(self, reason: str, remedy: str = _DO_NOT_RELY) -> None:
        super().__init__(reason, remedy)


class SignerUnknown(EvidenceFails):
    """Does the trust root name the signing key, in a role that signs such documents? No."""

    code = "evidence.signer-unknown"


class EnvelopeSignatureWrong(EvidenceFails):
    """Does the signature hold over the statement? No."""

    code = "evidence.envelope-signature-wrong"


class StatementMalformed(EvidenceFails):
    """Is what was signed a statement of a known kind? No."""

    code = "evidence.statement-malformed"


class StatementKindUnknown(Unavailable):
    """Is what was signed a statement of a kind that this program knows? It cannot tell."""

    code = "evidence.statement-kind-unknown"

    def __init__(self, predicate_type: str) -> None:
        super().__init__(
            f"{predicate_type[:80]!r} is no kind of document that this program knows.",
            "Take a newer version of this program; until then the document proves nothing.",
        )


class SignerInOtherRole(EvidenceFails):
    """Is the signer the role that signs (and logs) documents of this kind? No."""

    code = "evidence.signer-in-other-role"


class SignedByOtherWorker(EvidenceFails):
    """Did one process sign all of it, log it, and name itself as the worker? No."""

    code = "evidence.signed-by-other-worker"


class ConfirmationBroken(EvidenceFails):
    """Is a second report another worker's, beside exactly this first one? No."""

    code = "evidence.confirmation-broken"


class EntryNamesOtherStatement(EvidenceFails):
    """Does the ledger's entry name exactly this statement? No."""

    code = "evidence.entry-names-other-statement"


class BesideNotIssued(EvidenceFails):
    """Does the ledger's entry name exactly the statements beside the leading one? No."""

    code = "evidence.beside-not-issued"


class StatementCannotLead(EvidenceFails):
    """Does the leading statement stand alone, and do those beside it travel with one? No."""

    code = "evidence.statement-cannot-lead"


class TrustRootNotVouched(EvidenceFails):
    """Do k agents of the agreement vouch for the public keys in the file? No."""

    code = "evidence.trust-root-not-vouched"


class WrongEnvironment(EvidenceFails):
    """Do statement and trust root name the same environment? No."""

    code = "evidence.wrong-environment"


class TimestampUnavailable(Unavailable):
    """A timestamp authority does not answer, or its answer is of no use."""

    code = "evidence.timestamp-unavailable"

    def __init__(self, authority: str, why: str) -> None:
        super().__init__(
            f"The timestamp authority {authority} gave no time: {why}.",
            "Nothing to do: it is asked again; tell the operator if it stays so for a day.",
        )


class TimestampWrong(EvidenceFails):
    """Is the timestamp over these bytes, by an authority that the trust root names? No."""

    code = "evidence.timestamp-wrong"
