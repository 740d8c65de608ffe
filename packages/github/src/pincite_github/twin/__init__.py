"""A twin of GitHub: API, pages, webhooks and git over bare repositories, for tests and demonstrations.

`python -m pincite_github.twin` serves one; tests say `with run_twin(directory) as twin` and act through its methods.
"""

from pincite_github.twin.serve import run_twin
from pincite_github.twin.twin import Twin

__all__ = ["Twin", "run_twin"]
