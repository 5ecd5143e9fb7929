"""The storefront in a real browser, before the real catalogue and orders: by keyboard, on a phone, in the dark, and
when something is refused. No page of these tests may break its own Content-Security-Policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.responses import JSONResponse, RedirectResponse, Response

from harness import browser, storefront
from harness.storefront import DESK, PHONE, SHOWN, Edge, fill

WATCH = "addEventListener('securitypolicyviolation', e => (window.violations ??= []).push(e.violatedDirective))"
# The contrast of every text against what it stands on (WCAG 2.2, 1.4.3): those below 4.5.
FAINT = """() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = parts(getComputedStyle(e).backgroundColor);
      if ((found[3] ?? 1) > 0) return found;
    }
    return [255, 255, 255];
  };
  const seen = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled, noscript")) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    seen.push([walk.currentNode.data.trim(), (a + 0.05) / (b + 0.05)]);
  }
  return { all: seen.length, faint: seen.filter(([, ratio]) => ratio < 4.5) };
}"""


@dataclass
class Shop:
    """One visitor's page and what stands before the services."""

    page: Page
    edge: Edge
    address: str

    def visit(self, path: str = "/") -> Page:
        self.page.goto(self.address + path)
        expect(self.page.get_by_role("listitem")).to_have_count(6)
        return self.page

    def buy(self) -> None:
        self.page.get_by_role("button", name="Place the order").click()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as running:
        yield running


@pytest.fixture
def options() -> dict[str, Any]:
    return {"viewport": DESK}


@pytest.fixture
def shop(chromium: Browser, options: dict[str, Any]) -> Iterator[Shop]:
    edge = Edge()
    context = chromium.new_context(**options)
    context.set_default_timeout(10_000)
    context.add_init_script(WATCH)
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    with storefront.running(edge) as address:
        yield Shop(page, edge, address)
        assert page.evaluate("window.violations ?? []") == []
        assert said == []
        context.close()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus, and shows it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 3, found
        if found == name:
            return
    raise AssertionError(f"no Tab leads to {name!r}")


def test_an_order_by_keyboard_alone(shop: Shop) -> None:
    page = shop.visit()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skips to the goods
    expect(page.locator("#goods")).to_be_focused()
    tab_to(page, "One more: Hammer, 1 kg")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("Hammer, 1 kg: 2 pieces. Goods together €49.90.")
    tab_to(page, "Place the order")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt-title")).to_be_focused()
    expect(page.locator("#receipt-title")).to_have_text("Thank you")
    expect(page.locator("#receipt")).to_contain_text("2 \N{MULTIPLICATION SIGN} Hammer, 1 kg€49.90")
    expect(page.locator("#receipt-cover")).to_have_text("€0.50")
    expect(page.locator("#receipt-total")).to_have_text("€50.40")
    tab_to(page, "Order something else")
    page.keyboard.press("Enter")
    expect(page.locator("#goods")).to_be_focused()
    expect(page.locator("#receipt")).to_be_hidden()


def test_an_order_is_found_again_by_its_number_and_by_its_address(shop: Shop) -> None:
    page = shop.visit()
    fill(page)
    shop.buy()
    expect(page.locator("#receipt-total")).to_have_text("€63.03")
    number = page.locator("#receipt-id").inner_text()
    page.reload()
    expect(page.locator("#receipt-title")).to_have_text("Your earlier order")
    page = shop.visit("/?other")
    expect(page.locator("#receipt")).to_be_hidden()
    page.get_by_text("Find an earlier order").click()
    page.get_by_label("Order number").fill(number)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#receipt-total")).to_have_text("€63.03")
    page.get_by_label("Order number").fill("none")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no order with this number.")
    expect(page.locator("#receipt")).to_be_hidden()


@pytest.mark.parametrize(
    "options", [{"viewport": PHONE, "has_touch": True}, {"viewport": {"width": 320, "height": 600}}]
)
def test_on_a_phone_everything_fits_and_can_be_hit(shop: Shop) -> None:
    page = shop.visit()
    page.get_by_role("button", name="One more: Tongs, flat jaw").click()
    page.get_by_role("link", name="Your order: 1 piece").click()
    expect(page.get_by_role("button", name="Place the order")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, summary")]
             .filter((e) => e.checkVisibility() && !e.matches(".skip"))
             .filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)"""
    )
    assert small == []
    shop.buy()
    expect(page.get_by_role("heading", name="Thank you")).to_be_in_viewport()


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}])
def test_every_text_stands_out_from_its_ground(shop: Shop, options: dict[str, Any]) -> None:
    page = shop.visit()
    fill(page)
    shop.edge.refusals[("POST", "/orders")] = JSONResponse({"detail": "no"}, 403)
    shop.buy()
    expect(page.get_by_role("alert")).to_be_visible()
    found = page.evaluate(FAINT)
    assert found["faint"] == []
    assert found["all"] > 30
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 19, 16)"
    assert dark == (options["color_scheme"] == "dark")


def test_every_control_has_a_name(shop: Shop) -> None:
    page = shop.visit()
    fill(page)
    for control in page.locator("button:visible, input:visible, a:visible").all():
        assert control.aria_snapshot().count('"'), control.evaluate("e => e.outerHTML")


PROBLEM = {"type": "about:blank", "request_id": "r-1"}


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (JSONResponse(PROBLEM, 429, headers={"retry-after": "12"}), "That was a lot at once. Try again in 12 seconds."),
        (JSONResponse(PROBLEM, 429), "Try again in a moment."),
        (Response("rate limited", 429, headers={"retry-after": "600"}), "Try again in 10 minutes."),
        (JSONResponse(PROBLEM, 403), "Your account may not order here."),
        (JSONResponse(PROBLEM, 401), "Your session has ended."),
        (RedirectResponse("https://login.estate.example/"), "Your session has ended."),
        (JSONResponse(PROBLEM | {"detail": "not charged: too poor"}, 409), "Not charged: too poor."),
        (
            JSONResponse(PROBLEM | {"type": "urn:garrison:problem:key-in-use"}, 409),
            "This order is being placed already.",
        ),
        (
            JSONResponse(PROBLEM | {"detail": "not valid", "errors": [{"where": "body/items", "message": "few"}]}, 422),
            "Not valid (body/items: few).",
        ),
        (
            JSONResponse(
                PROBLEM | {"detail": "no fit", "errors": [{"in": "body", "pointer": "/items", "detail": "few"}]}, 422
            ),
            "No fit (body/items: few).",
        ),
        (
            JSONResponse({"title": "Forbidden", "status": 403, "request": "r-1"}, 403),
            "Your account may not order here.",
        ),
        (Response("<html>", 502), "The shop cannot do this at the moment."),
    ],
)
def test_a_refusal_is_told_in_words_and_can_be_tried_again(shop: Shop, refusal: Response, words: str) -> None:
    page = shop.visit()
    fill(page)
    shop.edge.refusals[("POST", "/orders")] = refusal
    shop.buy()
    expect(page.get_by_role("alert")).to_contain_text(words)
    if isinstance(refusal, JSONResponse):
        expect(page.get_by_role("alert")).to_contain_text("Reference r-1")
    shop.edge.refusals.clear()
    shop.buy()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    (first, origin), (second, _) = (
        (headers["idempotency-key"], headers["origin"]) for method, _, headers in shop.edge.seen if method == "POST"
    )
    assert origin == shop.address, "by which the edge knows that no other page has asked"
    assert first == second, "an answer that was lost must not become a second order"


def test_another_order_has_another_key(shop: Shop) -> None:
    page = shop.visit()
    fill(page)
    shop.edge.refusals[("POST", "/orders")] = Response(status_code=502)
    shop.buy()
    expect(page.get_by_role("alert")).to_be_visible()
    shop.edge.refusals.clear()
    page.get_by_role("button", name="One more: Hammer").click()
    shop.buy()
    expect(page.locator("#receipt")).to_contain_text("3 \N{MULTIPLICATION SIGN} Hammer")
    assert len({headers["idempotency-key"] for method, _, headers in shop.edge.seen if method == "POST"}) == 2


def test_a_shop_that_cannot_be_reached_says_so(shop: Shop) -> None:
    page = shop.visit()
    fill(page)
    page.route("**/orders", lambda route: route.abort())
    shop.buy()
    expect(page.get_by_role("alert")).to_contain_text("The shop cannot be reached.")


def test_an_order_of_others_is_not_shown(shop: Shop) -> None:
    shop.edge.refusals[("GET", "/orders/theirs")] = JSONResponse(PROBLEM, 403)
    page = shop.visit("/#order=theirs")
    expect(page.get_by_role("alert")).to_contain_text("This order is not one of yours.")


def test_what_is_sold_in_another_currency_is_an_order_of_its_own(shop: Shop) -> None:
    page = shop.visit()
    page.get_by_role("button", name="One more: Lantern, brass").click()
    expect(page.get_by_text("Sold in EUR: an order of its own.").first).to_be_visible()
    shop.buy()
    expect(page.locator("#receipt-total")).to_have_text("$40.49")


def test_who_is_logged_in_is_shown_and_can_log_out(shop: Shop) -> None:
    page = shop.visit()
    expect(page.get_by_role("navigation", name="Account")).to_contain_text("Logged in as wen")
    assert page.get_by_role("link", name="Log out").get_attribute("href") == "/logout"
    shop.edge.user = None
    shop.visit()
    expect(page.get_by_role("navigation", name="Account")).to_be_hidden()


def test_text_from_a_service_stays_text(shop: Shop) -> None:
    name = '<img src=x onerror="document.title = 1">'
    item = {"id": "</li>", "name": name, "price": {"amount": 1, "currency": "EUR"}}
    shop.edge.refusals[("GET", "/items")] = JSONResponse({"items": [item]})
    shop.page.goto(shop.address)
    expect(shop.page.get_by_role("heading", name=name)).to_be_visible()
    assert shop.page.title() == "The Forge"


@pytest.mark.parametrize(
    ("deed", "directive"),
    [
        (
            "document.head.append(Object.assign(document.createElement('style'), {textContent: 'p {}'}))",
            "style-src-elem",
        ),
        ("new Image().src = 'http://other.example/x'", "img-src"),
        ("fetch('http://other.example/').catch(() => 0)", "connect-src"),
        ("try { document.body.innerHTML = '' } catch {}", "require-trusted-types-for"),
    ],
)
def test_the_policy_is_in_force(shop: Shop, deed: str, directive: str) -> None:
    """The control of what every test here ends with: what the page does not do would be refused, and seen."""
    page = shop.visit()
    page.evaluate(f"() => {{ {deed} }}")
    page.wait_for_function("window.violations?.length")
    assert page.evaluate("window.violations.splice(0)") == [directive]


def test_the_pictures_can_be_made_and_are_in_the_documents(chromium: Browser, tmp_path: Path) -> None:
    storefront.pictures(chromium, tmp_path)
    for folder in (tmp_path, storefront.PICTURES):
        sizes = {name: (folder / f"{name}.png").read_bytes()[16:24] for name, *_ in SHOWN}
        assert sizes == {n: b"".join(s[k].to_bytes(4, "big") for k in ("width", "height")) for n, s, *_ in SHOWN}
