"""What goes wrong with the hub, in a few words with the remedy."""

from __future__ import annotations

import errno
from typing import Any

_LATER = "check the network and try again, or take --offline what is in its cache"


def broke_off(error: Exception) -> bool:
    """Whether a connection failed: all that the hub says, and what disks say, are of these two."""
    return not isinstance(error, OSError | ValueError)


def explain(
    error: Exception, hub: Any, repository: str, revision: str | None, offline: bool
) -> str:
    """What `error` of the library `hub` means for somebody who asked for `repository`."""
    errors: Any = hub.errors
    page = f"{hub.constants.ENDPOINT}/{repository}"
    not_cached = "not in the hub's cache; add it without --offline (or HF_HUB_OFFLINE) once"
    absent = not_cached if offline else f"the hub does not answer; {_LATER}"
    # In this order: some of these are kinds of those below them.
    meanings: list[tuple[type[Exception], str]] = [
        (
            errors.HFValidationError,
            "not a repository's id; it is OWNER/NAME, such as openai/clip-vit-base-patch32",
        ),
        (
            errors.GatedRepoError,
            f"gated; ask for access at {page}, then run `hf auth login` or set HF_TOKEN",
        ),
        (
            errors.RepositoryNotFoundError,
            "no such repository, or a private one; correct the name, or run `hf auth login` or set "
            "HF_TOKEN",
        ),
        (errors.RevisionNotFoundError, f"no revision {revision!r}; {page}/commits/main lists them"),
        (errors.OfflineModeIsEnabled, absent),
        (errors.LocalEntryNotFoundError, absent),
        (
            errors.EntryNotFoundError,
            "no such file in this revision; choose another with --file or --revision",
        ),
    ]
    for kind, meaning in meanings:
        if isinstance(error, kind):
            return meaning
    return _of_network_or_disk(error, hub)


def _of_network_or_disk(error: Exception, hub: Any) -> str:
    reason = f"{error}".strip().partition("\n")[0].rstrip(".") or type(error).__name__
    if isinstance(error, hub.errors.HfHubHTTPError):
        return f"the hub refuses ({reason}); try again later"
    if "Consistency check" in reason:
        return "the download has another size than the hub said; add it again"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        cache = hub.constants.HF_HUB_CACHE
        return f"the disk of {cache} is full; make room there, or set HF_HOME to another"
    if isinstance(error, OSError) and error.filename:
        where = f"{error.filename}: {error.strerror}"
        return f"{where}; set HF_HOME to a folder that can be written"
    return f"the hub cannot be reached ({reason}); {_LATER}"
