"""Could the world have produced it? Recorded calls against the model that specs are verified in. Pure as all fsm."""
