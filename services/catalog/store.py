"""The catalogue's database, which this service only reads."""

from __future__ import annotations

from pathlib import Path

from catalog.model import Item
from common.pool import Store

SOLD = "SELECT id, name, price, currency FROM item WHERE withdrawn IS NULL"


class Catalogue(Store):
    """What is sold; a Problem while the database is away."""

    def __init__(self, credentials: Path) -> None:
        super().__init__(credentials, schema="catalogue", service="catalog", table="item")

    def items(self, limit: int) -> list[Item]:
        """The first in the order of the ids."""
        query = f'{SOLD} ORDER BY id COLLATE "C" LIMIT %s'
        return [_item(row) for row in self.pool.run(lambda connection: connection.execute(query, [limit]).fetchall())]

    def item(self, id: str) -> Item | None:
        """One, None where there is none."""
        row = self.pool.run(lambda connection: connection.execute(f"{SOLD} AND id = %s", [id]).fetchone())
        return _item(row) if row else None


def _item(row: tuple[object, ...]) -> Item:
    id, name, price, currency = row
    return Item.model_validate({"id": id, "name": name, "price": {"amount": price, "currency": currency}})
