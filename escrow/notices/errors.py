"""What can go wrong with notices, one class for each question.

::

    InvalidInput      BadNotice
    Refused           NoticeKeyTaken, NoticeNotFailed, NoticeUnmailable
    NotFound          NoticeUnknown
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, NotFound, Refused


class BadNotice(InvalidInput):
    """A notice holds a value that cannot stand in a letter, or lacks one that must."""

    code = "notices.bad-notice"


class NoticeKeyTaken(Refused):
    """The key names another notice."""

    code = "notices.key-taken"


class NoticeNotFailed(Refused):
    """Only a notice that failed is tried again by hand."""

    code = "notices.not-failed"


class NoticeUnmailable(Refused):
    """The notice's address can stand in no mail, so trying again helps nobody."""

    code = "notices.unmailable"


class NoticeUnknown(NotFound):
    """There is no such notice."""

    code = "notices.unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no such notice, or it is not yours.",
            "Check the id; 'escrow admin notices' lists them.",
        )
