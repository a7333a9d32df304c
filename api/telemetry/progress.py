"""Progress: show long work while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class ProgressReporter:
    """Show progress: a bar on a terminal, a line at the start and end elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def stages(self) -> Iterator[Callable[[str, int, int], None]]:
        """Work in stages: call the function that you get with (what we do, done, total or 0) as the work proceeds."""
        if not self.console.is_terminal:
            announced = set[str]()

            def say_once(text: str, _completed: int, _total: int) -> None:
                if text not in announced:
                    announced.add(text)
                    self.say(f"{text} ...")

            yield say_once
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda text, completed, total: bar.update(
                task, description=text, completed=completed, total=total or None
            )

    @contextmanager
    def progress(self, description: str) -> Iterator[Callable[[int, int | None], None]]:
        """Long work: call the function that you get with (done, total or None) as the work proceeds."""
        if not self.console.is_terminal:
            self.say(f"{description} ...")
            yield lambda _completed, _total: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(description, total=None)
            yield lambda completed, total: bar.update(task, completed=completed, total=total)
