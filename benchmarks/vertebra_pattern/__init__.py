"""How the weights are learned that tell vertebrae from other stretches of the straightened spine."""
