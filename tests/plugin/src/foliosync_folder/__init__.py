"""A broker that is a folder: one JSON file per account. The example of an adapter."""

from __future__ import annotations

from brokers.contract import Broker, Connection, Context, Manifest
from foliosync_folder.reading import FolderConnection

MANIFEST = Manifest(
    key="folder",
    name="Folder of files",
    short_name="folder",
    identifier_scheme="folder_id",
    capabilities=frozenset(),
    address_hint="Or a folder, such as /home/me/accounts.",
)


class Folder(Broker):
    """The broker; there is nothing to share between connections."""

    manifest = MANIFEST

    def address(self, typed: str) -> str:
        """An absolute path."""
        if not typed.startswith("/") or "\0" in typed or len(typed) > 300:
            raise ValueError("The path of a folder is needed, such as /home/me/accounts.")
        return typed.rstrip("/") or "/"

    def connect(self, context: Context) -> Connection:
        """A connection to the folder at the context's address."""
        return FolderConnection(context)
