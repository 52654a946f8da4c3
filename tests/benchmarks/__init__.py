"""The benchmark suite: `python -m tests.benchmarks`, described in README.md."""
