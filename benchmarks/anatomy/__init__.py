"""How near the embedded anatomy engine comes to the truth, on tuning and on reporting cases apart."""
