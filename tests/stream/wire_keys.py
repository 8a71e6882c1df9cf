"""Keys for tests: a run's, and those of clients."""

from __future__ import annotations

from pathlib import Path

from saccade.stream.keys import ClientKeys, ServerKeys, make_key


class KeyRing:
    """A server's key and list in a folder, and keys of clients that are on it or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.robot, self.laptop, self.stranger = (
            make_key(folder / f"{name}.key") for name in ("robot", "laptop", "stranger")
        )
        (folder / "friends").write_text(f"# who may come\n{self.laptop.public} laptop\n")
        (folder / "robot.pub").write_text(f"{self.robot.public}\n")
        self.server = ServerKeys.read(folder / "robot.key", folder / "friends")
        self.listed = ClientKeys(self.laptop, self.robot.public)
        self.unlisted = ClientKeys(self.stranger, self.robot.public)
        self.misled = ClientKeys(self.laptop, self.stranger.public)

    def server_options(self) -> list[str]:
        return ["--key", f"{self.folder}/robot.key", "--allow", f"{self.folder}/friends"]

    def client_options(self, name: str = "laptop") -> list[str]:
        return ["--key", f"{self.folder}/{name}.key", "--server", f"{self.folder}/robot.pub"]
