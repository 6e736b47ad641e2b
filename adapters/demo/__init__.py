"""The demo: one real call between the shipped simulators, shown as it happens. Never a decision about turns.

plan (what is to be played) > stage (the call itself) > story (what happened, as moments) > screen (what a person sees);
naive is the controller one would write with flags, judged by the same numbers; verdict says what is healthy.
"""
