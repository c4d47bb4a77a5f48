"""The benchmark of ingestion runs from end to end, as small as it can be."""

import math

import pytest

from smalt.cli.bench import ingest
from smalt.core.settings import load_settings
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent


@pytest.mark.real
@pytest.mark.timeout(300)
def test_ingestion_runs_against_the_bare_loop(starter_data_dir) -> None:
    model = Catalog(load_settings(data_dir=starter_data_dir)).find("text-embedding-3-small")
    fetched = model.fetched(load_settings(data_dir=starter_data_dir), Silent())
    report = ingest.measure(fetched, ingest.Plan(pairs=1, documents=2, words=60), "smalt bench ingest")
    found = {line.what: line.figure.median for line in report.lines}
    assert all(math.isfinite(figure) for figure in found.values())
    assert found["chunks a second"] > 0
    assert found["documents a second"] > 0
    assert "smalt bench ingest" in report.markdown()
