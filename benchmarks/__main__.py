import os
import sys

from benchmarks.cli.main import main


def run() -> None:
    """Run the command line and leave with its exit status."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough, as in `report tables | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    run()
