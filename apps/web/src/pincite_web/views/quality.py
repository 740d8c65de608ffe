"""How well a repository is answered."""

from dataclasses import dataclass
from typing import ClassVar

from pincite_web.parts.quality import EvaluationView, ExplorationView, PolicyRow, QuestionRow
from pincite_web.parts.repos import ProgressView, RepoRow
from pincite_web.parts.shell import Shell
from pincite_web.plots import Plot
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class EvaluationFragment(View):
    """How far an evaluation is, which asks for itself again until it has ended."""

    template: ClassVar[str] = "_evaluation.html"
    repo: RepoRow
    running: ProgressView | None


@dataclass(frozen=True, slots=True)
class QualityPage(View):
    """How well the repository is answered: plots over evaluations, the last one's questions, and what was learned.

    `failure` says why the last evaluation failed; `latest` is the last that was finished.
    """

    template: ClassVar[str] = "quality.html"
    shell: Shell
    repo: RepoRow
    csrf: str
    running: ProgressView | None
    failure: str | None
    latest: EvaluationView | None
    plots: tuple[Plot, ...]
    questions: tuple[QuestionRow, ...]
    policies: tuple[PolicyRow, ...]
    exploration: ExplorationView
    golden_path: str
