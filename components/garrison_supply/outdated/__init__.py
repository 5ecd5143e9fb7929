"""`garrison outdated`: what is behind, and whether the newer version mends a known vulnerability.

Every source is the machine's own configuration (pip and uv, apt, GOPROXY), never an address of ours. A source that
does not answer is "unknown", and unknown is never "up to date".
"""
