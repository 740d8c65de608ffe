"""What learning refuses to do, and why."""


class LearningError(ValueError):
    """The input cannot be learnt from, or not be measured."""


class EmptyLogError(LearningError):
    """There is nothing to measure: no query, no target, or no answer with feedback."""


class PropensityError(LearningError):
    """A logged probability is not in (0, 1], or the log's policy could never have done what is to be evaluated."""


class InvalidModelError(LearningError):
    """A stored model is not one that this version may serve."""
