"""The kit that tests anybody's bridge: what a call with the simulators is judged by, and how tests start them."""
