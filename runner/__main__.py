"""`mtpa-run`, or `python -m runner`."""

import sys


def main() -> None:
    """The console script. Whoever interrupts it while its modules load sees no traceback."""
    from runner.cli.terminal.streams import guard

    guard()
    try:
        from runner.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
