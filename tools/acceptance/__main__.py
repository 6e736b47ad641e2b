"""`python -m tools.acceptance LOG...`: could the world of the verifier have produced these recorded calls?"""

from tools.acceptance.command import command

command()
