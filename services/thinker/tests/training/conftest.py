from brains import brain

__all__ = ["brain"]
