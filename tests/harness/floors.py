"""Who may import whom, drawn from the import contracts: `python -m harness.floors > docs/packages.svg`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from html import escape

from harness.paths import REPO

WIDTH, ROW, GAP, TOP, LEFT = 400, 30, 8, 70, 24
COLOURS = {
    "garrison_stack": "#ffedd5",
    "garrison": "#dbeafe",
    "garrison_policies": "#dcfce7",
    "garrison_import": "#ede9fe",
    "garrison_supply": "#fef3c7",
    "garrison_edge": "#fce7f3",
}
SAYS = {
    "garrison_stack": "one call; imports garrison and the policies",
    "garrison": "knows the graph; imports none of the others",
    "garrison_policies": "the rules; imports garrison",
    "garrison_import": "a first program from manifests; imports both",
    "garrison_supply": "the supply chain; imports garrison's ground only",
    "garrison_edge": "the agent in the edge's pods; imports none of the others",
}


def floors() -> dict[str, list[list[str]]]:
    """Each container of a layers contract with its floors, the highest first."""
    settings = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["importlinter"]
    layered = (contract for contract in settings["contracts"] if contract["type"] == "layers")
    return {
        contract["containers"][0]: [[room.strip() for room in floor.split("|")] for floor in contract["layers"]]
        for contract in layered
    }


def svg() -> str:
    """The houses side by side; a floor may import those below it, and nothing above."""
    found = floors()
    supply = sorted(
        p.name for p in (REPO / "components" / "garrison_supply").iterdir() if p.is_dir() and p.name[0] != "_"
    )
    found["garrison_supply"] = [supply]
    inside = {name: found[name] for name in found if "." in name}
    height = TOP + max(len(found[name]) for name in COLOURS) * (ROW + GAP) + 24 * len(inside) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(COLOURS) * WIDTH} {height}"'
        f' width="{len(COLOURS) * WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="13">',
        "<title>Who may import whom</title>",
        f'<rect width="{len(COLOURS) * WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, name in enumerate(COLOURS):
        parts += _house(name, found[name], LEFT + number * WIDTH)
    parts += _inside(inside, TOP + max(len(found[name]) for name in COLOURS) * (ROW + GAP) + 24)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _house(name: str, rows: list[list[str]], left: int) -> Iterator[str]:
    yield f'<text x="{left}" y="30" font-size="16" font-weight="600">{escape(name)}</text>'
    yield f'<text x="{left}" y="50" fill="#475569">{escape(SAYS[name])}</text>'
    for number, rooms in enumerate(rows):
        top = TOP + number * (ROW + GAP)
        width = (WIDTH - 2 * LEFT - GAP * (len(rooms) - 1)) / len(rooms)
        for place, room in enumerate(rooms):
            x = left + place * (width + GAP)
            box = f'x="{x:g}" y="{top}" width="{width:g}" height="{ROW}" rx="4" fill="{COLOURS[name]}"'
            yield f'<rect {box} stroke="#475569"/>'
            text = f'x="{x + width / 2:g}" y="{top + 20}" text-anchor="middle" font-size="{_size(room, width)}"'
            yield f"<text {text}>{room}</text>"


def _size(room: str, width: float) -> int:
    """As large as fits."""
    return max(8, min(13, int(width / (len(room) * 0.62))))


def _inside(found: dict[str, list[list[str]]], top: int) -> Iterator[str]:
    """What is layered inside of a floor, a line each."""
    for number, (name, rows) in enumerate(sorted(found.items())):
        said = " > ".join(" | ".join(rooms) for rooms in rows)
        yield f'<text x="{LEFT}" y="{top + 24 * number}">{escape(name)}: {escape(said)}</text>'
    said = "A floor may import those below it; those beside each other do not know each other. `make check` demands it."
    yield f'<text x="{LEFT}" y="{top + 24 * len(found)}" fill="#475569">{escape(said)}</text>'


if __name__ == "__main__":
    print(svg(), end="")
