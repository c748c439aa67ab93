from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.vault.errors import PermitRefused
from escrow.vault.permits import Permit, Purpose


@pytest.fixture
def permit(now) -> Permit:
    expires_at = now + timedelta(minutes=5)
    return Permit(Purpose.RELEASE, "dep_1", "agr_1", "age1…", "cd" * 32, expires_at)


def test_a_permit_covers_what_it_names(permit, now) -> None:
    permit.check_covers(Purpose.RELEASE, "dep_1", now)


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.RELEASE])
def test_a_permit_for_another_purpose_is_refused(permit, now, purpose) -> None:
    with pytest.raises(PermitRefused):
        permit.check_covers(purpose, "dep_1", now)


def test_a_permit_for_another_deposit_or_time_is_refused(permit, now) -> None:
    with pytest.raises(PermitRefused):
        permit.check_covers(Purpose.RELEASE, "dep_2", now)
    with pytest.raises(PermitRefused):
        replace(permit, expires_at=now).check_covers(Purpose.RELEASE, "dep_1", now)
