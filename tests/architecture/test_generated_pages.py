"""The pages that are written from tables in the code say what the code says."""

import pytest

from escrow.operations.pages import DOCS, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_page_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "run 'make docs'"
