"""Where tests keep what they fetch, from run to run."""

import os
from pathlib import Path


def cache_dir() -> Path:
    return Path(os.environ.get("SMALT_TEST_DATA_DIR") or Path.home() / ".cache" / "smalt-tests")
