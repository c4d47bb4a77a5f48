"""`smalt bench safety` runs from end to end, as small as it can be; what it measures is nobody's business here."""

import math
from pathlib import Path

import pytest

from smalt.cli.bench.safety import Plan, measure
from smalt.core.settings import load_settings
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent

TINY = Plan(pairs=1, texts=4, held_out=40)


@pytest.mark.real
@pytest.mark.timeout(300)
def test_quality_and_costs_are_told_beside_their_budgets(starter_data_dir: Path) -> None:
    settings = load_settings(data_dir=starter_data_dir)
    deployment = Catalog(settings).find("omni-moderation-latest").fetched(settings, Silent())
    report = measure(deployment, TINY, "smalt bench safety")
    found = {line.what: line.figure.median for line in report.lines}
    assert all(math.isfinite(figure) for figure in found.values())
    assert report.command in report.markdown()
    assert [line.what.split(" (")[0] for line in report.lines if line.budget] == [
        f"AUROC, mean of {len(report.details['quality'])} categories",
        "benign prompts that the default policy blocks",
        "time of a text over HTTP",
    ]
    assert {"added by the filter, a new prompt", "added by the filter, a prompt in the cache"} <= set(found)
    assert all(f"AUPRC, {category} (" in "".join(found) for category in report.details["quality"])
