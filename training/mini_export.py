"""Makes the model folder of saccade-mini from a checkpoint of `saccade.training.mini`.

`python -m saccade.training.mini_export CHECKPOINT --images TAR --out FOLDER` exports the encoder
to ONNX, checks it against torch, writes label bank and manifest, and measures it on the validation
images under a fresh simulation; the figures go to the manifest, the card and `--record`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch.nn import functional as F

from saccade.engines.clip.export import write_onnx
from saccade.training.mini import TRAIN_SEED
from saccade.training.mini_data import SPEC, Conditions, Images, cached_frames, load_images
from saccade.training.mini_measure import as_frames, evaluate
from saccade.training.mini_model import DIMENSION, Mini
from saccade.training.mini_text import read_texts

#: Named as those of converted CLIPs are, with OpenAI for the sum of the text tower's weights, which
#: only who has them can take: its texts are what the encoder was trained towards.
SPACE = "clip-vit-b-32/openai"
FRESH_SEED = 3
ALIASES = {
    "motorbike": "Motorbikes",
    "motorcycle": "Motorbikes",
    "face": "Faces_easy",
    "person": "Faces",
    "leopard": "Leopards",
    "airplane": "airplanes",
    "plane": "airplanes",
    "car": "car_side",
    "mug": "cup",
    "coffee cup": "cup",
    "mobile phone": "cellphone",
    "piano": "grand_piano",
    "puma": "cougar_body",
    "wildcat": "wild_cat",
    "wristwatch": "watch",
    "sailing ship": "ketch",
    "cat": "wild_cat",
    "dog": "dalmatian",
    "bird": "pigeon",
    "plant": "bonsai",
    "guitar": "electric_guitar",
    "phone": "cellphone",
}
CARD = Path(__file__).with_name("mini_card.md")
#: Conditions under which the encoder is measured, beside the drawn ones.
CASES = {
    "fresh": Conditions(),
    "half_the_events": Conditions(keep=0.5),
    "double_the_events": Conditions(motion=2.0),
    "noise_2hz": Conditions(noise_hz=2.0),
    "davis346": Conditions(sensor=(346, 260)),
    "hd720": Conditions(sensor=(1280, 720)),
}
CASE_TEXTS = {
    "fresh": "as in training, fresh seed",
    "half_the_events": "half of the events lost",
    "double_the_events": "strokes twice as long: twice the events",
    "noise_2hz": "noise of 2 Hz a pixel",
    "davis346": "sensor 346x260",
    "hd720": "sensor 1280x720",
}


def export_onnx(model: Mini, path: Path) -> None:
    """Writes the encoder: `frame` float32 [N, 1, 96, 96] -> `embedding` float32 [N, 512]."""
    encoder = model.encoder.eval()
    example = torch.rand(2, 1, SPEC.size, SPEC.size)
    write_onnx(encoder, example, path, ("frame", "embedding"))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    frames = torch.rand(7, 1, SPEC.size, SPEC.size)
    with torch.inference_mode():
        wanted = encoder(frames).numpy()
    found = np.asarray(session.run(None, {"frame": frames.numpy()})[0])
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def write_bank(model: Mini, names: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Writes the class embeddings as `labels.safetensors`; gives them, float32 [classes, 512]."""
    bank = np.ascontiguousarray(F.normalize(model.head.bank.detach(), dim=1).numpy())
    aliases = {alias: name for alias, name in ALIASES.items() if name in names}
    save_file(
        {"embeddings": bank},
        folder / "labels.safetensors",
        {"names": json.dumps(list(names)), "space": SPACE, "aliases": json.dumps(aliases)},
    )
    return bank


class Exported(torch.nn.Module):
    """The exported encoder and bank as `evaluate` takes a model: what is measured is what ships."""

    def __init__(self, path: Path, bank: NDArray[np.float32]) -> None:
        super().__init__()
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self._bank = bank

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """float32 [N, 1, 96, 96] -> cosines [N, classes]."""
        embedding = self.session.run(None, {"frame": frames.numpy()})[0]
        return torch.from_numpy(embedding @ self._bank.T)


def measure(exported: Exported, held: Images, work: Path) -> dict[str, dict[str, float]]:
    """Figures on the validation images for each of `CASES`, simulated with a fresh seed."""
    figures: dict[str, dict[str, float]] = {}
    for name, conditions in CASES.items():
        frames = cached_frames(held, FRESH_SEED, 0, work, conditions, name)
        found = evaluate(exported, frames, held.classes)
        figures[name] = {key: round(value, 4) for key, value in found.items()}
    return figures


def measure_texts(
    session: onnxruntime.InferenceSession, held: Images, work: Path, texts: Path
) -> dict[str, float]:
    """How often CLIP's own text of the class is the nearest: among the classes', and among all."""
    targets = read_texts(texts, held.names)
    named = targets.target[torch.from_numpy(held.classes)].numpy()
    frames = as_frames(cached_frames(held, FRESH_SEED, 0, work, name="fresh")[named >= 0])
    named = named[named >= 0]
    cosines = session.run(None, {"frame": frames.numpy()})[0] @ targets.texts.numpy().T
    few = np.unique(named)
    return {
        "images": len(named),
        "words": len(few),
        "top1_of_words": round(float((few[cosines[:, few].argmax(1)] == named).mean()), 4),
        "top1_of_lvis": round(float((cosines.argmax(1) == named).mean()), 4),
    }


def write_manifest(
    folder: Path, scale: float, training: dict[str, Any], figures: dict[str, float]
) -> None:
    """Writes `model.toml` with the sums of the files beside it."""
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "labels.safetensors")
    }
    rows = {**training, **figures}
    written = "\n".join(f"{key} = {json.dumps(value)}" for key, value in rows.items())
    (folder / "model.toml").write_text(
        f"""# saccade-mini: see CARD.md. Written by saccade.training.mini_export.
name = "saccade-mini"
version = 4
licence = "Apache-2.0; trained on Caltech-101 (CC BY 4.0)"
sha256 = "{sums["model.onnx"]}"
labels_sha256 = "{sums["labels.safetensors"]}"

[input]
name = "frame"
size = {SPEC.size}
channels = 1

[frame]
kind = "{SPEC.kind}"
counting = "{SPEC.counting}"
clamp = {SPEC.clamp}

[embedding]
name = "embedding"
dimension = {DIMENSION}
space = "{SPACE}"
scale = {scale:.4f}

[training]
{written}
"""
    )


def write_card(folder: Path, record: dict[str, Any]) -> None:
    """Writes `CARD.md`: the text of `mini_card.md` with what was measured filled in."""
    rows = ["| condition | top-1 | mean over classes | top-5 |", "|---|---|---|---|"]
    for case, what in CASE_TEXTS.items():
        found = record["figures"][case]
        shares = " | ".join(f"{found[k]:.1%}" for k in ("top1", "mean_class", "top5"))
        rows.append(f"| {what} | {shares} |")
    texts = record.get("texts", {})
    values = {
        **record,
        **{key: f"{value:.1%}" for key, value in texts.items() if key.startswith("top1")},
        "words": texts.get("words", 0),
        "space": SPACE,
        "table": "\n".join(rows),
        "megabytes": f"{(folder / 'model.onnx').stat().st_size / 1e6:.1f}",
        "parameters": f"{record['parameters']:,}",
        "aliases": ", ".join(f"{alias} ({name})" for alias, name in ALIASES.items()),
    }
    text = CARD.read_text()
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", str(value))
    (folder / "CARD.md").write_text(text)


def facts(state: dict[str, Any], parameters: int, held: int) -> dict[str, Any]:
    """What the manifest and the card say of a checkpoint's training."""
    recipe = state["recipe"]
    keys = ("variants", "longer", "cool", "small", "batch", "learning_rate", "mixed", "text")
    return {
        "data": "Caltech-101 less BACKGROUND_Google, events simulated by saccade.camera.simulate",
        "script": "python -m saccade.training.mini",
        "seed": TRAIN_SEED,
        "validation": f"every tenth image of a class, simulated with seed {FRESH_SEED}",
        "held_out": held,
        "epochs": state["epoch"],
        **{key: recipe[key] for key in keys},
        "parameters": parameters,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="the tar it was trained on")
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps the frames")
    parser.add_argument("--out", type=Path, required=True, help="the model folder")
    parser.add_argument("--texts", type=Path, help="the npz of texts that it was trained towards")
    parser.add_argument("--record", type=Path, help="where the figures go as JSON")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    names = tuple(state["names"])
    model = Mini(len(names))
    model.load_state_dict(state["model"])
    options.out.mkdir(parents=True, exist_ok=True)
    export_onnx(model, options.out / "model.onnx")
    exported = Exported(options.out / "model.onnx", write_bank(model, names, options.out))
    held = load_images(options.images)[1]
    figures = measure(exported, held, options.work)
    parameters = sum(p.numel() for p in model.encoder.parameters())
    training = facts(state, parameters, len(held.pixels))
    record = {**training, "figures": figures}
    if options.texts:
        record["texts"] = measure_texts(exported.session, held, options.work, options.texts)
    write_manifest(options.out, float(model.head.scale.detach()), training, figures["fresh"])
    write_card(options.out, record)
    if options.record:
        options.record.parent.mkdir(parents=True, exist_ok=True)
        options.record.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
