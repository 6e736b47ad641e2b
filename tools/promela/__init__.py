"""The verified model written a second time, for SPIN."""
