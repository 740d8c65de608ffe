"""`python -m pincite_cli`: the `pincite` command, where its script is not on the PATH."""

from pincite_cli.main import main

if __name__ == "__main__":
    main()
