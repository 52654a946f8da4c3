"""`lynkr eval`: how good plugins are, on data with known outcomes."""

from __future__ import annotations

from cyclopts import App

from lynkr_core.cli.evaluating import evaluate

app = App(name="eval", help="Run plugins on data with known outcomes and print how good they are.")
app.default(evaluate)
app.command(evaluate, name="scorers", help="Run scorers on a data set and print how well they route.")
app.command("lynkr_core.cli.compressing:compressors", name="compressors", help="Run compressors on recorded conversations.")
