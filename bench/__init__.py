"""What is measured: the cost of a step, and of a call's audio path. Ratios in one run; never a test, never imported."""
