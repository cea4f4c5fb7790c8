"""Parts of benchmarks/chaos.py: shops to damage, processes to kill, what is checked afterwards."""
