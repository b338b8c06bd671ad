"""Where verbs print their tables."""

from rich.console import Console


class Screen(Console):
    """Colours what it is told to, and no numbers.

    Raises `BrokenPipeError` like `print` does when nobody reads any more.
    """

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        # Rich would end the program with a status that says something has failed.
        raise BrokenPipeError
