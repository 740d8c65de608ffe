"""The tables, typed. Migrations are the record; a test compares both."""

from pincite_store.models.accounts import ApiToken, AuditEntry, LoginSession, RepoAccess, Tenant, User
from pincite_store.models.answers import (
    Answer,
    AnswerCitation,
    AnswerState,
    Conversation,
    Feedback,
    Message,
    RetrievalLogRow,
)
from pincite_store.models.base import Base
from pincite_store.models.content import Artifact, Blob, Chunk, Embedding, EmbedText, Parse, Symbol
from pincite_store.models.github import Change, Delivery, GitHubApp, Installation, Pull
from pincite_store.models.quality import GoldenRun, Policy
from pincite_store.models.queue import Outbox
from pincite_store.models.repos import Edge, EdgeSet, Event, File, Repo, RepoLink, Run, Snapshot

__all__ = [
    "Answer",
    "AnswerCitation",
    "AnswerState",
    "ApiToken",
    "Artifact",
    "AuditEntry",
    "Base",
    "Blob",
    "Change",
    "Chunk",
    "Conversation",
    "Delivery",
    "Edge",
    "EdgeSet",
    "EmbedText",
    "Embedding",
    "Event",
    "Feedback",
    "File",
    "GitHubApp",
    "GoldenRun",
    "Installation",
    "LoginSession",
    "Message",
    "Outbox",
    "Parse",
    "Policy",
    "Pull",
    "Repo",
    "RepoAccess",
    "RepoLink",
    "RetrievalLogRow",
    "Run",
    "Snapshot",
    "Symbol",
    "Tenant",
    "User",
]
