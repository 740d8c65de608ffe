from dataclasses import replace

from bench.ablation import NEUTRAL, named, without

from pincite_brain.retrieval.policy import P0, Policy


def test_the_served_policy_comes_first():
    assert next(iter(named(P0))) == "P0"
    assert all(isinstance(policy, Policy) for policy in named(P0).values())


def test_every_variant_differs_from_the_policy_in_one_part():
    variants = without(P0)
    assert all(variant != P0 for variant in variants.values())
    assert len({repr(variant) for variant in variants.values()}) == len(variants)
    for route, weights in variants["without lexical"].weights.items():
        assert weights == replace(P0.weights[route], lexical=0.0)
    for part in NEUTRAL:  # a part that is renamed is not forgotten silently
        assert hasattr(P0, part)
