"""Starts the agent: `python -m garrison_edge`. Every place has a default, which the derived pod uses."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from garrison_edge.agent import Agent, Places


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="garrison_edge", description=__doc__)
    places = Places()
    for name, about in Places.ABOUT.items():
        default = getattr(places, name)
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{about} ({default})")
    chosen = Places(**vars(parser.parse_args()))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(chosen))


async def _serve(places: Places) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Agent(places).running():
        await stop.wait()


if __name__ == "__main__":
    main()
