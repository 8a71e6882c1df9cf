"""Files of a repository on the hub (huggingface.co, or $HF_ENDPOINT), through its own cache."""

from __future__ import annotations

import hashlib
import importlib
import re
import time
from pathlib import Path
from typing import Any

from saccade.camera.errors import printable
from saccade.engines.hub_errors import broke_off, explain
from saccade.engines.models import ModelError
from saccade.engines.reporting import Report

_BLOCK = 1 << 20
_ATTEMPTS = 5
_PAUSE_S = 1.0


class HubFiles:
    """The files of one revision of a repository; each is downloaded when it is asked for.

    A download that breaks off is resumed; one that is in the cache already is not repeated.

    Attributes:
        where: the repository's id, for messages.
        names: paths of its files; offline, of those that are in the cache.
        revision: the commit, which a branch's or tag's name was resolved to.
    """

    def __init__(
        self, repository: str, revision: str | None, offline: bool, report: Report
    ) -> None:
        """Looks up `revision` of `repository` (its main branch where None).

        Raises:
            ModelError: it is not there, or cannot be had: gated, or the hub is out of reach.
        """
        self._hub: Any = importlib.import_module("huggingface_hub")  # takes 100 ms and more
        for part in ("constants", "errors", "utils"):
            importlib.import_module(f"huggingface_hub.{part}")
        # Its warnings say what is then in the one line of an error.
        self._hub.utils.logging.set_verbosity_error()
        # Else it asks the hub, --offline too, which programs might have started it, to tell which.
        self._hub.constants.HF_HUB_DISABLE_TELEMETRY = True
        self.where = repository
        self._wanted = revision
        self._offline = offline or bool(self._hub.constants.HF_HUB_OFFLINE)
        self._report = report
        try:
            self.revision, self.names = self._cached() if self._offline else self._look_up()
        except Exception as error:  # of whichever HTTP library the hub's uses
            raise self._error(error, "") from None

    def _look_up(self) -> tuple[str, frozenset[str]]:
        info = self._hub.HfApi().model_info(self.where, revision=self._wanted)
        return info.sha, frozenset(file.rfilename for file in info.siblings)

    def _cached(self) -> tuple[str, frozenset[str]]:
        try:
            folder = self._hub.snapshot_download(
                self.where, revision=self._wanted, local_files_only=True
            )
        except self._hub.errors.LocalEntryNotFoundError as error:
            # Not all files of the revision are there; those that are may be all that is needed.
            folder = getattr(error, "snapshot_path", None)
            if folder is None:
                raise
        names = (path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
        return Path(folder).name, frozenset(path.as_posix() for path in names)

    def fetch(self, name: str) -> Path:
        """The file `name` on this machine, checked against the hash that the hub gave for it.

        Raises:
            ModelError: it cannot be downloaded whole, is not in the repository, or is damaged.
        """
        if name not in self.names:
            have = ", ".join(sorted(self.names)) or "nothing"
            where = "cache has" if self._offline else "repository has"
            what = f"no file {name}; the {where} {have}"
            raise ModelError(printable(f"{self.where}: {what}"))
        path = self._download(name)
        snapshot = path.parents[name.count("/")].name
        if snapshot != self.revision:
            what = f"moved to {snapshot[:12]} meanwhile; add it again"
            raise ModelError(printable(f"{self.where}: {what}"))
        self._check(path)
        return path

    def _download(self, name: str) -> Path:
        # Some versions of the hub's library go on by themselves where a download broke off, and
        # some when they are called again.
        for attempt in range(_ATTEMPTS):
            try:
                # By the revision's own name, so that the cache notes which commit it was: --offline
                # then finds it again.
                path = self._hub.hf_hub_download(
                    self.where,
                    name,
                    revision=self._wanted,
                    local_files_only=self._offline,
                    library_name="saccade",
                    tqdm_class=_bar(self._report, f"downloading {name}"),
                )
                return Path(path)
            except Exception as error:
                if not broke_off(error) or attempt == _ATTEMPTS - 1:
                    raise self._error(error, name) from None
                time.sleep(_PAUSE_S)
        raise AssertionError

    def _check(self, path: Path) -> None:
        """The cache names its files by their sha256, the small ones by git's sha1."""
        blob = path.resolve()
        if re.fullmatch("[0-9a-f]{64}", blob.name):
            digest = hashlib.sha256()
        elif re.fullmatch("[0-9a-f]{40}", blob.name):
            digest = hashlib.sha1(f"blob {blob.stat().st_size}\0".encode(), usedforsecurity=False)
        else:  # a mirror with tags of its own, or a disk without links
            return
        with blob.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        if digest.hexdigest() != blob.name:
            what = f"{path.name}: its hash is not the hub's, {blob.name[:12]}...; it was damaged on"
            what += f" its way or in the cache: delete {blob} and add it again"
            raise ModelError(printable(f"{self.where}: {what}"))

    def _error(self, error: Exception, name: str) -> ModelError:
        if isinstance(error, ModelError):
            return error
        where = f"{self.where}/{name}" if name else self.where
        what = explain(error, self._hub, self.where, self._wanted, self._offline)
        return ModelError(printable(f"{where}: {what}"))


def _bar(report: Report, what: str) -> type:
    """What the hub's library takes for a progress bar, telling `report` instead."""

    class Bar:
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any) -> None:
            self.total = total
            self.n = initial
            self.update(0)

        def update(self, n: float = 1) -> None:
            self.n += n
            report(what, self.n / self.total if self.total else 0.0)

        def update_transfer(self, n: float) -> None:
            """Bytes on the network, which may be compressed: those on the disk are shown."""

        def set_postfix_str(self, *_: Any, **__: Any) -> None:
            """The speed."""

        set_transfer_postfix_str = set_description = refresh = close = set_postfix_str

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Bar
