"""What needs torch is imported by the command that needs it, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import saccade

ROOT = Path(saccade.__file__).resolve().parents[2]
NEED_TORCH = ("engines/clip/", "engines/torch.py")


def test_no_other_module_imports_torch():
    names = [
        ".".join(("saccade", *path.relative_to(ROOT).with_suffix("").parts))
        for part in ("camera", "engines", "stream")
        for path in sorted((ROOT / part).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(NEED_TORCH) and "samples" not in path.parts
    ]
    names += ["saccade.engines.clip.config"]
    script = f"import importlib, sys; [importlib.import_module(n) for n in {names!r}]\n"
    script += "sys.exit('torch' in sys.modules)"
    assert len(names) > 50
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
