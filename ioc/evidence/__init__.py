"""What is kept of what cameras saw: which stills belong to an incident, for how long, and what nobody may keep."""
