"""Parts of benchmarks/fuzz.py: hostile HTTP requests, and mutated files of every kind."""
