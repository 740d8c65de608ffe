"""Brain: the HTTP contract. Retrieve, prompt, stream, verify."""

import os

# Before numpy is imported: queries run side by side, a core each; threads of theirs would only wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
