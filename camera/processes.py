"""Starting a module of ours in a process of its own."""

from __future__ import annotations

import sys

# What `python -m` puts first, the folder that we are in, may hold a numpy.py of the user's.
_CODE = """import sys
module, sys.path[:] = sys.argv.pop(1), sys.path[sys.path[0] == "":]
from importlib import import_module
import_module(module).main()"""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs `main` of a module, with these as `sys.argv[1:]`.

    As `python -m`, but that modules are taken from where saccade itself is, and never from the
    current folder.
    """
    return [sys.executable, "-c", _CODE, module, *arguments]
