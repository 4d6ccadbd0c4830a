"""The folder behind a lock: an example of an adapter that signs in with a secret."""

from __future__ import annotations

from dataclasses import replace

from brokers.contract import Connection, Context, SecretField
from brokers.errors import NotAuthenticated
from foliosync_folder import MANIFEST, Folder
from foliosync_folder.reading import FolderConnection


class LockedFolder(Folder):
    """A folder that wants to be told the word in its file `word.txt`."""

    manifest = replace(
        MANIFEST,
        key="locked",
        name="Locked folder",
        short_name="locked folder",
        secrets=(
            SecretField(name="word", label="Word", hint="It stands in word.txt."),
            SecretField(name="name", label="Name"),
        ),
    )

    def connect(self, context: Context) -> Connection:
        """A connection that has the secrets from the start."""
        return LockedConnection(context)


class LockedConnection(FolderConnection):
    """Compares the word each time; never says it."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._word = context.secrets["word"]

    def accounts(self):  # type: ignore[no-untyped-def]
        """The accounts, if the word is right."""
        if (self._folder / "word.txt").read_text(encoding="utf-8") != self._word:
            raise NotAuthenticated("The word is not the right one.", "Enter it again.")
        return super().accounts()
