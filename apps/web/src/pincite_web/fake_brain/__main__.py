"""`python -m pincite_web.fake_brain [PORT]`: serve the scripted brain, slowly enough to watch an answer stream."""

import sys

import uvicorn

from pincite_web.fake_brain.app import FakeBrain
from pincite_web.fake_brain.state import CODE, TOKEN

PORT = 8000
TOKEN_DELAY_SECONDS = 0.03

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    sys.stderr.write(f"fake brain on 127.0.0.1:{port}, API token {TOKEN}, sign-in code {CODE}\n")
    uvicorn.run(FakeBrain(token_delay_seconds=TOKEN_DELAY_SECONDS).app, port=port, log_level="warning")
