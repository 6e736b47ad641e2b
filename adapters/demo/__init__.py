"""The demo: one real call between the shipped simulators, shown as it happens. Never a decision about turns.

plan (what is to be played) > demo_call (the call, through one of the bridges) > narrator (what happened, as display
events) > screen (what a person sees) > summary_text (how it went); naive is the controller one would write with flags,
judged by the same numbers.
"""
