"""Bad studies made by code, each with what the tool has to do about it."""
