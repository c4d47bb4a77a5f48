"""The documentation keeps up with the code."""

import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from smalt.app import create_app
from smalt.core.settings import load_settings
from smalt.engines.registry import engine_names

ROOT = Path(__file__).parents[2]
API_PAGES = "\n".join(page.read_text() for page in sorted((ROOT / "docs" / "api").glob("*.md")))
ENGINES_PAGE = (ROOT / "docs" / "engines.md").read_text()


def operations() -> list[str]:
    app = create_app(load_settings(starter=False))
    return sorted(
        f"{method} {route.path}"
        for route in app.router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    )


def test_the_generated_pages_are_fresh():
    told = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert told.stdout.split() == []
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("operation", operations())
def test_every_operation_has_its_place_in_a_page(operation):
    assert f"`{operation.replace(':path}', '}')}`" in API_PAGES


@pytest.mark.parametrize("engine", [name for name in engine_names() if name != "shout"])
def test_every_engine_has_its_heading(engine):
    assert f"\n## {engine}\n" in ENGINES_PAGE


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    import re

    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
