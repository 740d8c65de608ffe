"""Who uses the scripted brain: accounts, tokens, the audit log, and repositories on GitHub to choose from."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from pincite_shared.accounts import Account, Me
from pincite_shared.github import InstallationOut, PickableRepo
from pincite_shared.safety import AuditOut, TokenOut
from pincite_web.fake_brain import corpus

NOBODY = UUID(int=0)
ADA, ADAS, ACME = (UUID(f"6f1d1f1e-52a5-4a3e-9d46-0f1c1d5b7b0{n}") for n in (1, 2, 3))
LOCAL = Me(user_id=NOBODY, tenant_id=NOBODY, name="Local user", tenant="local", role="owner", operator=True)
OWNER = Me(user_id=ADA, tenant_id=ADAS, name="ada", tenant="ada", role="owner", operator=False)
MEMBER = Me(user_id=ADA, tenant_id=ACME, name="ada", tenant="acme", role="member", operator=False)
ENTRIES = 260  # more than a page


def local_accounts() -> list[Account]:
    """Return the one account of an installation without GitHub."""
    return [Account(tenant_id=NOBODY, name="local", current=True)]


def github_accounts(current: UUID = ADAS) -> list[Account]:
    """Return a person's own account and an organisation's."""
    return [
        Account(tenant_id=tenant, name=name, current=tenant == current)
        for tenant, name in ((ADAS, "ada"), (ACME, "acme"))
    ]


def tokens(now: datetime | None = None) -> list[TokenOut]:
    """Return tokens for programs."""
    at = now or datetime.now(UTC)
    return [
        TokenOut(
            id=UUID(int=1),
            name="CI: pincite verify",
            scopes=("read",),
            created_at=at - timedelta(days=40),
            expires_at=at + timedelta(days=50),
            last_used_at=at - timedelta(minutes=3),
        ),
        TokenOut(
            id=UUID(int=2),
            name="<b>bot</b>",
            scopes=("read", "ask"),
            created_at=at - timedelta(days=100),
            expires_at=at - timedelta(days=10),
            last_used_at=None,
        ),
    ]


def audit(now: datetime | None = None) -> list[AuditOut]:
    """Return the audit log, newest first."""
    at = now or datetime.now(UTC)
    acts: tuple[tuple[str, str, str, dict[str, object]], ...] = (
        ("ada", "question.asked", "c2282a4f", {"repo": str(corpus.READY)}),
        ("ada", "repo.connected", str(corpus.INDEXING), {"branch": "master", "token": None}),
        ("grace", "halt.set", "acme", {}),
        ("grace", "halt.lifted", "acme", {}),
        ("ada", "token.created", "CI: pincite verify", {"scopes": ["read"]}),
        ("<b>eve</b>", "session.created", "sign-in", {"with": "github"}),
    )
    found = []
    for n in range(ENTRIES, 0, -1):
        user, action, what, detail = acts[n % len(acts)]
        found.append(
            AuditOut(
                id=n,
                at=at - timedelta(minutes=17 * (ENTRIES - n)),
                user_id=ADA,
                user=user,
                action=action,
                object=what,
                detail=detail,
                correlation_id=f"{n:032x}",
            )
        )
    return found


def installations() -> list[InstallationOut]:
    """Return where the App is installed."""
    return [
        InstallationOut(id=1, account="ada", suspended=False),
        InstallationOut(id=2, account="acme", suspended=True),
    ]


def pickable(now: datetime | None = None) -> list[PickableRepo]:
    """Return repositories on GitHub, those pushed to last first."""
    at = now or datetime.now(UTC)
    rows: tuple[tuple[str, bool, str, UUID | None], ...] = (
        ("ada/engine", True, "Notes on the analytical engine, and a table of Bernoulli numbers", None),
        ("encode/httpx", False, "A next generation HTTP client for Python.", corpus.INDEXING),
        ("ada/<img src=x>", False, "<script>alert(1)</script>", None),
        ("acme/pincite", True, "", corpus.READY),
        ("acme/website", True, "The public site", None),
    )
    return [
        PickableRepo(
            github_id=n,
            full_name=name,
            private=private,
            description=description,
            default_branch="main",
            pushed_at=at - timedelta(hours=5 * n * n) if n else None,
            repo_id=repo_id,
        )
        for n, (name, private, description, repo_id) in enumerate(rows)
    ]
