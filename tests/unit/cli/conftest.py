"""What the tests of several commands need."""

import pytest


@pytest.fixture
def lonely_engine(tmp_path, monkeypatch) -> str:
    """The name of an engine that is installed without the library that it imports."""
    folder = tmp_path / "packages" / "lonely_engine-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: lonely-engine\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[smalt.engines]\nlonely = lonely_engine:LonelyEngine\n")
    (folder.parent / "lonely_engine.py").write_text("import absent_library\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    return "lonely"
