"""`python -m tools.asterisk`: the dialplans of deploy/asterisk against an Asterisk that is on this machine.

What turnspec does in these calls is scripted, and what the dialplan does with it is looked at.
"""
