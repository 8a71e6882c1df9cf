"""open_clip's names of pretrained models, and where on the hub their weights lie."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

from saccade.camera.errors import printable
from saccade.engines.models import ModelError

#: open_clip's names of the architectures that can be converted, and timm's.
ARCHITECTURES = {
    "ViT-B-32": "vit_base_patch32_clip_224",
    "ViT-B-16": "vit_base_patch16_clip_224",
    "ViT-L-14": "vit_large_patch14_clip_224",
}
#: Weights that were there before open_clip named them by samples seen and batch: timm keeps them.
_KEPT_BY_TIMM = {"openai", "laion400m_e31", "laion400m_e32", "laion2b_e16", "metaclip_400m"}
_DATA = {"laion2b": "laion2B", "datacomp": "DataComp", "commonpool": "CommonPool"}
#: DATA[_SIZE[_FILTER]]_sSAMPLES_bBATCH
_REGULAR = re.compile(r"([a-z0-9]+)(?:_(s|m|l|xl)(?:_([a-z]+))?)?_(s\d+[bm])_(b\d+k)")


def hub_repository(name: str) -> str:
    """The repository of `ARCHITECTURE/TAG`, such as `ViT-B-32/laion2b_s34b_b79k`.

    Regular names need no open_clip; where it is installed, it knows the others.

    Raises:
        ModelError: a name of another kind, or one that needs open_clip, or that it does not know.
    """
    architecture, _, tag = name.partition("/")
    architecture = architecture.removesuffix("-quickgelu")
    if architecture not in ARCHITECTURES or not tag:
        what = f"write ARCHITECTURE/TAG, the architecture one of {', '.join(ARCHITECTURES)}"
        raise ModelError(f"open_clip model {printable(repr(name))}: {what}")
    regular = _REGULAR.fullmatch(tag)
    if regular and regular[1] in _DATA:
        data = ".".join([_DATA[regular[1]], *((regular[2] or "").upper().split())])
        data += f".{regular[3]}" if regular[3] else ""
        samples, batch = (part[0] + part[1:].upper() for part in regular.group(4, 5))
        return f"laion/CLIP-{architecture}-{data}-{samples}-{batch}"
    if tag in _KEPT_BY_TIMM:
        return f"timm/{ARCHITECTURES[architecture]}.{tag}"
    return _ask_open_clip(architecture, tag)


def _ask_open_clip(architecture: str, tag: str) -> str:
    where = f"open_clip model {printable(repr(f'{architecture}/{tag}'))}"
    if importlib.util.find_spec("open_clip") is None:
        what = "only open_clip knows where this lies; pip install open_clip_torch, or name the "
        raise ModelError(f"{where}: {what}repository on the hub, such as laion/...")
    open_clip: Any = importlib.import_module("open_clip.pretrained")
    repository = open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "").strip("/")
    if not repository:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture))
        raise ModelError(f"{where}: not on the hub; open_clip has {tags}")
    return "/".join(repository.split("/")[:2])
