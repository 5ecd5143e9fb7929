"""The estate: five services of three trades, and who may call whom with what. It only declares."""

import os
from pathlib import Path

from garrison import App, images

# A machine that had to build with newer packages than are pinned names what that gave.
lock = images(Path(os.environ.get("GARRISON_IMAGES") or Path(__file__).with_name("images.lock")))

estate = App("estate", trust_domain="estate.example", images=lock)
shop, bank, insurance = estate.namespaces("shop", "bank", "insurance")

# orders and claims keep their records in memory, so there is one of each
orders = shop.service("orders", image=lock["orders"], port=8080, replicas=1)
catalog = shop.service("catalog", image=lock["catalog"], port=8080)
payments = bank.service("payments", image=lock["payments"], port=8080)
cover = insurance.service("cover", image=lock["cover"], port=8080)
claims = insurance.service("claims", image=lock["claims"], port=8080, replicas=1)

orders.calls(catalog, "GET /items/{id}")
orders.calls(cover, "POST /quotes")
orders.calls(payments, "POST /charges")
claims.calls(cover, "GET /covers/{id}")
claims.calls(payments, "POST /refunds")

ledger = bank.postgres("ledger", schema=Path(__file__).with_name("schema") / "ledger")
payments.uses(ledger, role="writer")  # leased credentials, never a value here
payments.reads("psp/api-key")  # a path in the secret store
