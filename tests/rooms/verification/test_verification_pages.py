from pathlib import Path

from escrow.verification.examinations import Act
from escrow.verification.ladder import LEVEL_TEXTS, Level, Reason, Verdict
from escrow.verification.pages import ladder_page, states_page

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"


def test_the_ladder_page_has_every_level_verdict_and_reason() -> None:
    page = ladder_page()
    assert all(f"(`{level}`)" in page for level in Level)
    assert all(f"| `{word}` |" in page for word in [*Verdict, *Reason])


def test_the_states_page_shows_every_act() -> None:
    page = states_page()
    assert all(f"| {act} |" in page for act in Act)


def test_the_glossary_shows_the_market_names_beside_ours() -> None:
    text = GLOSSARY.read_text()
    for level, words in LEVEL_TEXTS.items():
        assert f"| `{level}` | {words.title} | {', '.join(words.market_names)} |" in text
