"""Rendered scenes through whole detectors: pictures are drawn here, seconds a test."""
