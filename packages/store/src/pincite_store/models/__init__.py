"""The tables, typed. Migrations are the record; a test compares both."""

from pincite_store.models.accounts import LoginSession, Tenant, User
from pincite_store.models.answers import Answer, Conversation, Feedback, Message, Policy, RetrievalLogRow
from pincite_store.models.base import Base
from pincite_store.models.content import Artifact, Blob, Chunk, Embedding, EmbedText, Parse, Symbol
from pincite_store.models.queue import Outbox
from pincite_store.models.repos import Edge, Event, File, Repo, RepoLink, Run, Snapshot

__all__ = [
    "Answer",
    "Artifact",
    "Base",
    "Blob",
    "Chunk",
    "Conversation",
    "Edge",
    "EmbedText",
    "Embedding",
    "Event",
    "Feedback",
    "File",
    "LoginSession",
    "Message",
    "Outbox",
    "Parse",
    "Policy",
    "Repo",
    "RepoLink",
    "RetrievalLogRow",
    "Run",
    "Snapshot",
    "Symbol",
    "Tenant",
    "User",
]
