"""The live wall: a page for a television, a page for a leader's phone. It shows figures and never makes one."""
