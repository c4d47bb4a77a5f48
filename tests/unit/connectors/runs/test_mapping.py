"""Templates are filled in from columns, and from what lies within them."""

import pytest

from smalt.connectors.runs.mapping import filled, unknown_names

SCOPE = {
    "subject": "tea",
    "count": 3,
    "share": 2.0,
    "yes": True,
    "nothing": None,
    "a.b": "dotted",
    "who": {"name": "Ada", "tags": ["x", "y"]},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("no places", "no places"),
        ("{{subject}}", "tea"),
        ("{{ subject }}", "tea"),
        ("{{count}}", 3),
        ("{{yes}}", True),
        ("{{nothing}}", None),
        ("{{who}}", {"name": "Ada", "tags": ["x", "y"]}),
        ("{{who.name}}", "Ada"),
        ("{{who.tags[1]}}", "y"),
        ("{{a.b}}", "dotted"),
        ("{{absent}}", None),
        ("On {{subject}}, {{count}} times", "On tea, 3 times"),
        ("{{subject}}{{count}}", "tea3"),
        ("{{share}} and {{yes}} and {{nothing}}.", "2 and true and ."),
        ("as {{who}}", 'as {"name":"Ada","tags":["x","y"]}'),
        ("{single} {{}}", "{single} {{}}"),
    ],
)
def test_a_template_is_filled_in(template, value):
    assert filled(template, SCOPE) == value


def test_a_value_that_looks_like_a_template_is_not_one():
    assert filled("{{a}}!", {"a": "{{b}}", "b": "no"}) == "{{b}}!"


def test_names_that_nobody_has_are_found():
    templates = ["{{subject}} {{other}}", "{{who.name}} {{a.b}} {{third[0]}} {{other}}"]
    assert unknown_names(templates, SCOPE) == ["other", "third[0]"]
