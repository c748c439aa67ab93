"""Who outside the service vouches for it: named in one file, which goes into the trust root."""

from __future__ import annotations

from escrow.ground import setting_values as form
from escrow.ground.setting_values import Spec

WITNESS_SPECS: tuple[Spec, ...] = (
    Spec(
        "anchors",
        form.optional_path,
        lambda _: None,
        "a file that names witnesses of the log and timestamp authorities (JSON); it goes into "
        "the trust root when that is made, and is compared with it at every start",
    ),
)
