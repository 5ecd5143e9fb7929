"""Carts in Redis. Each change is one script, which Redis does as a whole or not at all.

A cart is a hash of item and quantity. What an order takes is kept beside it under the order's own key, so that a
repetition of the order takes the same, and takes it out of the cart once.
"""

from __future__ import annotations

from cart.resp import Failed, Redis, Reply
from common.limits import MAX_LINES, MAX_QUANTITY

DAY = 86_400
FULL = "FULL"
Lines = list[tuple[str, int]]

ADD = f"""
local after = (redis.call('HGET', KEYS[1], ARGV[1]) or 0) + ARGV[2]
local new = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0
if after > {MAX_QUANTITY} or (new and redis.call('HLEN', KEYS[1]) >= {MAX_LINES}) then
  return redis.error_reply('{FULL}')
end
redis.call('HSET', KEYS[1], ARGV[1], after)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HGETALL', KEYS[1])
"""
TAKE = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  local lines = redis.call('HGETALL', KEYS[1])
  if #lines == 0 then return lines end
  redis.call('HSET', KEYS[2], unpack(lines))
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
return redis.call('HGETALL', KEYS[2])
"""
CLEAR = """
if redis.call('SET', KEYS[3], '', 'NX', 'EX', ARGV[1]) then
  local lines = redis.call('HGETALL', KEYS[2])
  for at = 1, #lines, 2 do
    if redis.call('HINCRBY', KEYS[1], lines[at], -lines[at + 1]) <= 0 then
      redis.call('HDEL', KEYS[1], lines[at])
    end
  end
end
"""


class Full(Exception):
    """The cart takes no more of it."""


class Store:
    """Every cart; one that nobody adds to is gone after `days`, and so is what an order took."""

    def __init__(self, redis: Redis, days: int) -> None:
        self._redis = redis
        self._seconds = days * DAY

    def ready(self) -> bool:
        """Whether Redis answers; raises what `Redis.do` does."""
        return self._redis.do("PING") == b"PONG"

    def add(self, cart: str, item: str, quantity: int) -> Lines:
        """Put more of an item in; raises Full."""
        try:
            return _lines(self._redis.do("EVAL", ADD, 1, _cart(cart), item, quantity, self._seconds))
        except Failed as failed:
            if FULL in str(failed):
                raise Full from None
            raise

    def lines(self, cart: str) -> Lines:
        """What is in it."""
        return _lines(self._redis.do("HGETALL", _cart(cart)))

    def take(self, cart: str, order: str) -> Lines:
        """What an order takes: all that is in the cart when it asks first."""
        return _lines(self._redis.do("EVAL", TAKE, 2, _cart(cart), _order(cart, order), self._seconds))

    def clear(self, cart: str, order: str) -> None:
        """Take out what the order took, once; without an order, everything."""
        if not order:
            self._redis.do("DEL", _cart(cart))
            return
        taken = _order(cart, order)
        self._redis.do("EVAL", CLEAR, 3, _cart(cart), taken, f"{taken}:cleared", self._seconds)

    def close(self) -> None:
        """Let go of Redis."""
        self._redis.close()


def _cart(cart: str) -> str:
    return f"cart:{cart}"


def _order(cart: str, order: str) -> str:
    return f"cart:{cart}:order:{order}"  # of this cart: nobody takes by another's order what is not theirs


def _lines(reply: Reply) -> Lines:
    words = [word for word in reply if isinstance(word, bytes)] if isinstance(reply, list) else []
    return sorted((item.decode(), int(quantity)) for item, quantity in zip(words[::2], words[1::2], strict=True))
