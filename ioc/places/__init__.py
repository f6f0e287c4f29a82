"""Where a thing in a picture is: bearings, their crossings, distances by a terrain line, and calibration. Pure.

Geodesics are those of the WGS 84 ellipsoid (Karney, geographiclib). Degrees, longitude before latitude; azimuths are
clockwise from true north; distances in metres. One `sd` is one standard deviation.
"""
