"""``python -m escrow.operations.cli`` is the command ``escrow``."""

from escrow.operations.cli import main

if __name__ == "__main__":
    main()
