"""`mtpa-run`, or `python -m runner`."""

import resource
import sys

LEAST_MEMORY = 1_300_000_000  # bytes of address space: with less, a library ends or hangs while it loads
MACHINE = 5


def main() -> None:
    """The console script. Whoever interrupts it while its modules load sees no traceback."""
    from runner.cli.terminal.streams import guard

    guard()
    refuse_little_memory()
    try:
        from runner.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


def refuse_little_memory() -> None:
    """End with a sentence where this process may not have the memory that its libraries take to load."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < LEAST_MEMORY:
        sys.stderr.write(
            f"mtpa-run: the limit of this shell is {allowed / 1e9:.1f} GB of memory for a program, and mtpa needs at "
            f"least {LEAST_MEMORY / 1e9:.1f} GB; raise it with `ulimit -v`\n"
        )
        sys.exit(MACHINE)


if __name__ == "__main__":
    main()
