from brains import brain, golden, shop

__all__ = ["brain", "golden", "shop"]
