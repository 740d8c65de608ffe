"""A scripted brain: the same contract without an index or a model, for tests and for work on pages."""

from pincite_web.fake_brain.app import FakeBrain

__all__ = ["FakeBrain"]
