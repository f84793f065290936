"""The command line."""


def main() -> None:
    """Run the ``neurodecode`` command."""
    from neurodecode.cli.app import run_app

    run_app()


__all__ = ["main"]
