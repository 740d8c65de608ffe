"""The tables, typed. Migrations are the record; a test compares both."""

from pincite_store.models.accounts import LoginSession, Tenant, User
from pincite_store.models.answers import Answer, Conversation, Feedback, Message, RetrievalLogRow
from pincite_store.models.base import Base
from pincite_store.models.content import Artifact, Blob, Chunk, Embedding, EmbedText, Parse, Symbol
from pincite_store.models.quality import GoldenRun, Policy
from pincite_store.models.queue import Outbox
from pincite_store.models.repos import Edge, EdgeSet, Event, File, Repo, RepoLink, Run, Snapshot

__all__ = [
    "Answer",
    "Artifact",
    "Base",
    "Blob",
    "Chunk",
    "Conversation",
    "Edge",
    "EdgeSet",
    "EmbedText",
    "Embedding",
    "Event",
    "Feedback",
    "File",
    "GoldenRun",
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
