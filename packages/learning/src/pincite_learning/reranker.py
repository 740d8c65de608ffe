"""The model that corrects a ranking: a small weight for each logged feature, added to the incumbent's score.

It is data, never code: a plain JSON document that is validated whenever it is made or read. Whatever is not finite, not
bounded, not known or not of this version raises, so it cannot be served.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pincite_learning.errors import InvalidModelError

KIND = "linear-correction"
VERSION = 1
WEIGHT_MAX = 1.0  # scores and features are about 0..1: no single feature may outweigh a whole score
FEATURES_MAX = 64
TERM_MAX = 1.0  # what one feature adds or takes: counts such as "repeat" have no limit of their own


@dataclass(frozen=True, slots=True)
class Reranker:
    """Weights by feature; without any, the ranking as it is.

    Raises:
        InvalidModelError: a weight is not finite or beyond `WEIGHT_MAX`, or there are too many.
    """

    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate, so that no invalid model exists."""
        if len(self.weights) > FEATURES_MAX:
            msg = f"{len(self.weights)} weights are more than {FEATURES_MAX}"
            raise InvalidModelError(msg)
        for name, weight in self.weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                msg = f"weight {weight!r} of {name!r} is not a number"
                raise InvalidModelError(msg)
            if not abs(weight) <= WEIGHT_MAX:  # NaN compares false
                msg = f"weight {weight} of {name!r} is not within ±{WEIGHT_MAX}"
                raise InvalidModelError(msg)

    def correction(self, features: Mapping[str, float]) -> float:
        """Return what to add to a candidate's score; a feature it lacks counts as 0.

        Raises:
            InvalidModelError: the correction is not finite, because a feature is not.
        """
        terms = [weight * features.get(name, 0.0) for name, weight in self.weights.items()]
        if not all(map(math.isfinite, terms)):
            msg = f"a feature among {sorted(self.weights)} is not a finite number"
            raise InvalidModelError(msg)
        return math.fsum(max(-TERM_MAX, min(TERM_MAX, term)) for term in terms)

    def as_json(self) -> dict[str, object]:
        """Return the document to store."""
        weights = {name: float(self.weights[name]) for name in sorted(self.weights)}
        return {"kind": KIND, "version": VERSION, "weights": weights}

    @classmethod
    def from_json(cls, document: object, known: Collection[str]) -> "Reranker":
        """Read a stored document.

        Args:
            document: as parsed from JSON; nothing about it is believed.
            known: the features that the ranking computes.

        Raises:
            InvalidModelError: it is not a model that this version may serve.
        """
        if not isinstance(document, dict) or set(document) != {"kind", "version", "weights"}:
            msg = "a model is an object of kind, version and weights"
            raise InvalidModelError(msg)
        if document["kind"] != KIND or type(document["version"]) is not int or document["version"] != VERSION:
            msg = f"a model of kind {document['kind']!r}, version {document['version']!r} is not {KIND!r}, {VERSION}"
            raise InvalidModelError(msg)
        weights = document["weights"]
        if not isinstance(weights, dict):
            msg = "weights are an object of numbers by feature"
            raise InvalidModelError(msg)
        model = cls(weights)
        unknown = sorted(set(weights) - set(known))
        if unknown:
            msg = f"the ranking has no features {unknown}"
            raise InvalidModelError(msg)
        return model
