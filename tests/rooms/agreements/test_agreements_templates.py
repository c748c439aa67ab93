"""Templates, and the schema that editors use."""

from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from agreements.errors import TemplateError
from agreements.parsing import check_agreement
from agreements.schema import agreement_schema, published_schema, schema_text
from agreements.templates import TEMPLATE_NAMES, placeholders, render_template, template_text
from escrow.testing.agreements import AgreementCast


def test_an_unfilled_template_says_so_at_every_placeholder():
    problems = check_agreement(template_text("three-party"))
    lines = {one.line for one in problems}
    text = template_text("three-party").splitlines()
    asked = {at for at, line in enumerate(text, 1) if "${" in line and not line.startswith("#")}
    assert lines == asked


def test_a_value_cannot_add_a_line_to_the_agreement():
    name = 'Acme "Ltd"\\\nk = 1 # \x1b'
    text = AgreementCast(changes={"governing_law": name}).text
    assert tomllib.loads(text)["agreement"]["governing_law"] == name
    assert tomllib.loads(text)["sealing"]["k"] == 2


def test_a_missing_value_is_named():
    with pytest.raises(TemplateError, match="governing_law"):
        render_template("three-party", {"title": "t"})


def test_an_unknown_value_is_named_with_a_near_one():
    filled = dict.fromkeys(placeholders("three-party"), "x")
    with pytest.raises(TemplateError, match="vendor_name"):
        render_template("three-party", filled | {"vender_name": "x"})


def test_an_unknown_template_is_named():
    with pytest.raises(TemplateError, match="three-party"):
        template_text("../../etc/passwd")


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_templates_explain_every_table(name):
    text = template_text(name)
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comments) > len(text.splitlines()) / 5


def test_the_published_schema_is_fresh():
    assert published_schema() == schema_text(), "run: python -m agreements.schema"


def test_the_schema_is_valid_and_takes_the_template(text):
    schema = json.loads(published_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(text), schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("k = 2", 'k = "2"'),
        ("custody", "custodi"),
        ('"ed25519:', '"ed25518:'),
        ("[sealing]", "[s]"),
    ],
)
def test_schema_and_parser_refuse_alike(text, old, new):
    broken = text.replace(old, new, 1)
    errors = jsonschema.Draft202012Validator(agreement_schema()).iter_errors(tomllib.loads(broken))
    assert list(errors)
    assert any(one.severity == "error" for one in check_agreement(broken))
