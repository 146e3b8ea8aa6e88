"""Real workers: in this process, and on Ray; on the CPU and on GPUs."""
