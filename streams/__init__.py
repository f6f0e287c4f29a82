"""Faust agents: one module for each flow. Importing it starts nothing."""
