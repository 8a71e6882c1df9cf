"""The text tower: words to embeddings of the encoder's space, in ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.manifest import TextInfo
from saccade.engines.models import Model, ModelError
from saccade.engines.templates import TemplateSet
from saccade.engines.tokens import Tokens

BATCH = 16  # texts a run: more gain nothing on a CPU, and take memory


class TextTower:
    """A model's `[text]`: its tokenizer and its ONNX file. Not thread-safe; a context manager."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        """Loads both on `threads` threads; by default one per core, four at most.

        Raises:
            ModelError: the model has no text tower, its files are not those of the manifest, or the
                tower does not give L2-normalised embeddings of the encoder's space.
        """
        text = model.manifest.text
        if text is None:
            name = model.manifest.name
            raise ModelError(
                f"model {name!r}: has no text tower, so it takes only words that a bank of its "
                f"space has (`saccade labels show --model {name}`); for any words take a CLIP "
                "model (`saccade models add openai/clip-vit-base-patch32`)"
            )
        self._path = printable(str(model.folder / text.file))
        self._model, self._text = model, text
        self.dimension = model.manifest.embedding.dimension
        try:
            self.tokens = Tokens(model.file(text.tokenizer), text.context)
        except ValueError as error:
            where = printable(f"{model.folder / text.tokenizer}: {error}")
            raise ModelError(f"{where}; copy the model folder again") from None
        self._session: Any = cpu_session(self._path, model.network(text.file), threads)
        self._check(text)

    def _check(self, text: TextInfo) -> None:
        wanted = (
            (self._session.get_inputs(), text.name, "tensor(int64)", text.context),
            (self._session.get_outputs(), text.output, "tensor(float)", self.dimension),
        )
        for tensors, name, kind, last in wanted:
            found = [t for t in tensors if (t.name, t.type, t.shape[1:]) == (name, kind, [last])]
            if not found or isinstance(found[0].shape[0], int) or len(tensors) > 1:
                have = ", ".join(f"{t.name} {t.type} {t.shape}" for t in tensors)
                raise ModelError(
                    f"{self._path}: {printable(have)} is not the manifest's {name} {kind} [N, "
                    f"{last}] for any N; export the text tower again"
                )
        stated: str | None = self._session.get_modelmeta().custom_metadata_map.get("space")
        space = self._model.manifest.embedding.space
        if stated is not None and stated != space:
            raise ModelError(
                f"{self._path}: a text tower of space {printable(stated)!r}, where the encoder's "
                f"is {space!r}; take both from one model"
            )
        norm = float(np.linalg.norm(self.embed(["a photo of a cup"]).astype(np.float64)))
        if not abs(norm - 1) <= 1e-3:
            raise ModelError(
                f"{self._path}: the embedding of a text has norm {norm:.4g}, not 1; export the "
                "text tower with an L2 normalisation at its end"
            )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings float32 [len(texts), dimension], L2-normalised, of texts as they stand.

        Raises:
            ModelError: ONNX Runtime fails.
        """
        out = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), BATCH):
            feed = {self._text.name: self.tokens(texts[start : start + BATCH])}
            try:
                out[start : start + BATCH] = self._session.run([self._text.output], feed)[0]
            except Exception as error:  # ONNX Runtime has no common base for what it raises
                raise _does_not_run(self._path, error) from None
        return out

    def embed_words(
        self,
        words: Sequence[str],
        templates: TemplateSet,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One embedding a word, float32 [len(words), dimension]: the ensemble of its prompts.

        As CLIP does: the mean of the prompts' normalised embeddings, normalised again. `progress`
        is called with the number of words done.
        """
        out = np.empty((len(words), self.dimension), np.float32)
        each = len(templates.templates)
        block = max(1, 4 * BATCH // each)
        for start in range(0, len(words), block):
            some = words[start : start + block]
            parts = self.embed([prompt for word in some for prompt in templates.prompts(word)])
            sums = np.add.reduceat(parts.astype(np.float64), np.arange(0, len(parts), each))
            out[start : start + block] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
            if progress is not None:
                progress(start + len(some))
        return out

    def close(self) -> None:
        """Gives the memory back; the tower cannot be used after it."""
        self._session = None

    def __enter__(self) -> TextTower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cpu_session(path: str, data: bytes, threads: int | None) -> Any:
    """An ONNX Runtime session of a tower that is used now and then; ModelError if refused."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
    options.inter_op_num_threads = 1
    # Texts are rare: between them the pipeline needs the cores, and the memory of a whole batch.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for what it raises
        raise _does_not_run(path, error) from None


def _does_not_run(path: str, error: Exception) -> ModelError:
    reason = f"{error}".strip().partition("\n")[0]
    return ModelError(printable(f"{path}: not a tower that runs ({reason})"))
