"""The sections of docs/benchmarks.md, each with its prose and what fills it."""
