"""Where saccade keeps what it makes: in $SACCADE_HOME where set, else in the user's folders."""

from __future__ import annotations

import os
from pathlib import Path


def models_folder() -> Path:
    """The model store: `$SACCADE_HOME/models`, else `models` in the user's data folder."""
    import platformdirs

    return _home("models") or platformdirs.user_data_path("saccade") / "models"


def engines_folder() -> Path:
    """The cache of built engines: `$SACCADE_HOME/engines`, else in the user's cache folder."""
    import platformdirs

    return _home("engines") or platformdirs.user_cache_path("saccade") / "engines"


def _home(name: str) -> Path | None:
    home = os.environ.get("SACCADE_HOME")
    return Path(home).expanduser().absolute() / name if home else None
