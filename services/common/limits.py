"""Numbers that every service keeps to, whatever it speaks."""

MAX_BODY = 64 * 1024
GRACE_SECONDS = 10
MAX_LINES = 50
MAX_QUANTITY = 999
